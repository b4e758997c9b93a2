"""Both halves of a vision-language model under the names that llama.cpp's converter knows, whatever they are stored as."""

from __future__ import annotations

import pytest

from evomerge_core.sources.vision.layout import find_layout
from evomerge_quant.gguf.convert.halves import eyes_name

# What the converter's classes look for (conversion/{smolvlm,qwenvl,qwen3vl,gemma}.py of llama.cpp), by stored names.
NAMES = {
    ("smolvlm", "model.vision_model.encoder.layers.0.mlp.fc1.weight"): "model.vision_model.encoder.layers.0.mlp.fc1.weight",
    ("idefics3", "model.connector.modality_projection.proj.weight"): "model.connector.modality_projection.proj.weight",
    ("qwen2_vl", "visual.blocks.0.attn.qkv.weight"): "visual.blocks.0.attn.qkv.weight",
    ("qwen2_5_vl", "model.visual.merger.mlp.0.weight"): "visual.merger.mlp.0.weight",
    ("qwen3_vl", "model.visual.blocks.0.attn.qkv.weight"): "visual.blocks.0.attn.qkv.weight",
    ("gemma3", "vision_tower.embeddings.patch_embedding.bias"): "vision_tower.vision_model.embeddings.patch_embedding.bias",
    ("gemma3", "model.vision_tower.vision_model.post_layernorm.bias"): "vision_tower.vision_model.post_layernorm.bias",
    ("gemma3", "model.multi_modal_projector.mm_soft_emb_norm.weight"): "multi_modal_projector.mm_soft_emb_norm.weight",
}


@pytest.mark.parametrize(("kind", "stored"), NAMES)
def test_tower_and_projector_get_the_converters_names(kind: str, stored: str) -> None:
    config = {"model_type": kind, "vision_config": {}}
    layout = find_layout(config, [stored, "model.language_model.layers.0.mlp.up_proj.weight"])
    assert layout is not None
    assert eyes_name(stored, layout, config) == NAMES[kind, stored]
    assert eyes_name("model.language_model.layers.0.mlp.up_proj.weight", layout, config) is None
