"""Both halves of a vision-language model under the names that llama.cpp's converter knows, whatever they are stored as."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest
from safetensors.torch import load_file, save_file

from evomerge_core.sources.vision.layout import find_layout
from evomerge_quant.gguf.convert.halves import eyes_name
from support.seeing_gguf_models import as_gguf, write_seeing_gguf_model

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


def test_other_names_in_several_files_give_the_same_gguf(
    seeing_files: Callable[[str], Any], converter: Path, tmp_path: Path
) -> None:
    """Gemma 3 as transformers 4.52 to 4.57 saved it, in two files with an index; against today's in one."""
    model = write_seeing_gguf_model(tmp_path / "model", "gemma3")
    path = model / "model.safetensors"
    old = {_older(name): tensor for name, tensor in load_file(path).items()}
    path.unlink()
    names = sorted(old)
    files = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, held in files.items():
        save_file({name: old[name] for name in held}, model / file, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, held in files.items() for name in held}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    known = seeing_files("gemma3")
    for made, wanted in zip(as_gguf(model, converter, tmp_path / "gguf"), (known.text, known.mmproj), strict=True):
        theirs = {tensor.name: tensor.data.tobytes() for tensor in gguf.GGUFReader(wanted).tensors}
        assert {tensor.name: tensor.data.tobytes() for tensor in gguf.GGUFReader(made).tensors} == theirs
        assert theirs


def _older(name: str) -> str:
    if name.startswith("language_model.model."):
        return f"model.language_model.{name.removeprefix('language_model.model.')}"
    return name if name.startswith("language_model.") else f"model.{name}"
