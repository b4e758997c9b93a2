"""Tiny random vision-language models of every family, written by transformers, and text models that fit them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    Gemma3Config,
    Gemma3TextConfig,
    Idefics3Config,
    LlamaConfig,
    LlavaConfig,
    LlavaNextConfig,
    MistralConfig,
    Qwen2_5_VLConfig,
    Qwen2Config,
    Qwen2VLConfig,
    Qwen3Config,
    Qwen3VLConfig,
    SmolVLMConfig,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from support.source_models import write_tokenizer

WORDS = [f"w{row}" for row in range(56)]
# Behind the words, as in the families' own vocabularies.
IMAGE = "<image>"
MARKS = [
    "<fake_token_around_image>",
    "<global-img>",
    "<end_of_utterance>",
    *(f"<row_{r}_col_{c}>" for r in (1, 2) for c in (1, 2)),
]
IMAGE_ROW = len(WORDS)
ROWS = len(WORDS) + 1 + len(MARKS)

_TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-6,
    "initializer_range": 0.3,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_TOWER: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 4,
}
_QWEN_TOWER: dict[str, Any] = {"depth": 2, "num_heads": 2, "patch_size": 4}
_CLIP = {"model_type": "clip_vision_model", "projection_dim": 16, **_TOWER}
_MARKS = {"video_token_id": IMAGE_ROW + 1, "vision_start_token_id": IMAGE_ROW + 2, "vision_end_token_id": IMAGE_ROW + 3}
_ROPE = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}


@dataclass(frozen=True)
class Family:
    """A family's config, its text models' config, and how its stored names begin: decoder, head, tower."""

    config: Callable[[dict[str, Any]], Any]
    text: Callable[..., Any]
    model: str
    head: str
    tower: str


def _smolvlm(text: dict[str, Any]) -> Any:
    return SmolVLMConfig(text_config=text, vision_config=dict(_TOWER), image_token_id=IMAGE_ROW, scale_factor=2, pad_token_id=0)


def _idefics3(text: dict[str, Any]) -> Any:
    return Idefics3Config(
        text_config=text, vision_config=dict(_TOWER), image_token_id=IMAGE_ROW, scale_factor=2, pad_token_id=0
    )


def _llava(text: dict[str, Any]) -> Any:
    return LlavaConfig(text_config=text, vision_config=dict(_CLIP), image_token_index=IMAGE_ROW)


def _llava_next(text: dict[str, Any]) -> Any:
    grid = [[16, 32], [32, 16], [32, 32]]
    return LlavaNextConfig(text_config=text, vision_config=dict(_CLIP), image_token_index=IMAGE_ROW, image_grid_pinpoints=grid)


def _qwen2_vl(text: dict[str, Any]) -> Any:
    tower = {**_QWEN_TOWER, "embed_dim": 16, "hidden_size": 32, "mlp_ratio": 2}
    return Qwen2VLConfig(
        text_config={**text, "rope_parameters": _ROPE}, vision_config=tower, image_token_id=IMAGE_ROW, **_MARKS
    )


def _qwen2_5_vl(text: dict[str, Any]) -> Any:
    tower = {**_QWEN_TOWER, "hidden_size": 16, "out_hidden_size": 32, "intermediate_size": 24, "window_size": 16}
    tower |= {"fullatt_block_indexes": [1]}
    return Qwen2_5_VLConfig(
        text_config={**text, "rope_parameters": _ROPE}, vision_config=tower, image_token_id=IMAGE_ROW, **_MARKS
    )


def _gemma3(text: dict[str, Any]) -> Any:
    tower = {"model_type": "siglip_vision_model", "vision_use_head": False, **_TOWER}
    marks = {"boi_token_index": IMAGE_ROW + 1, "eoi_token_index": IMAGE_ROW + 2}
    return Gemma3Config(text_config=text, vision_config=tower, image_token_index=IMAGE_ROW, mm_tokens_per_image=4, **marks)


def _qwen3_vl(text: dict[str, Any]) -> Any:
    tower = {**_QWEN_TOWER, "hidden_size": 16, "out_hidden_size": 32, "intermediate_size": 24, "num_position_embeddings": 16}
    tower |= {"deepstack_visual_indexes": [0, 1]}
    return Qwen3VLConfig(
        text_config={**text, "rope_parameters": _ROPE}, vision_config=tower, image_token_id=IMAGE_ROW, **_MARKS
    )


_HEADED = {"tie_word_embeddings": False}
FAMILIES: Mapping[str, Family] = {
    "smolvlm": Family(_smolvlm, LlamaConfig, "model.text_model.", "lm_head.", "model.vision_model."),
    "idefics3": Family(_idefics3, LlamaConfig, "model.text_model.", "lm_head.", "model.vision_model."),
    "llava": Family(_llava, LlamaConfig, "language_model.model.", "language_model.lm_head.", "vision_tower."),
    "llava-next": Family(_llava_next, MistralConfig, "language_model.model.", "language_model.lm_head.", "vision_tower."),
    "qwen2-vl": Family(_qwen2_vl, Qwen2Config, "model.", "lm_head.", "visual."),
    "qwen2.5-vl": Family(_qwen2_5_vl, Qwen2Config, "model.", "lm_head.", "visual."),
    "gemma3": Family(_gemma3, Gemma3TextConfig, "language_model.model.", "language_model.lm_head.", "vision_tower."),
    "qwen3-vl": Family(_qwen3_vl, Qwen3Config, "model.language_model.", "lm_head.", "model.visual."),
}
_TIED = ("gemma3",)
_OWN: Mapping[str, Mapping[str, Any]] = {"gemma3": {"head_dim": 8, "sliding_window": 16}, "qwen3-vl": {"head_dim": 8}}


def write_vision_model(folder: Path, family: str, seed: int = 0, dtype: torch.dtype = torch.float32, **settings: Any) -> Path:
    """A random model with a tokenizer and a file for its processor; `settings` are its language part's."""
    torch.manual_seed(seed)
    text = {**_TEXT, **_OWN.get(family, {}), "vocab_size": ROWS, "model_type": FAMILIES[family].text.model_type, **settings}
    text |= {} if family in _TIED else _HEADED
    config = FAMILIES[family].config(text if "qwen" not in family else {k: v for k, v in text.items() if k != "model_type"})
    model = AutoModelForImageTextToText.from_config(config)
    _shake(model)
    model.to(dtype).save_pretrained(folder)
    write_tokenizer(folder, [*WORDS, IMAGE, *MARKS], eos_token="w2")
    _mark_special(folder / "tokenizer.json", [IMAGE, *MARKS])
    (folder / "preprocessor_config.json").write_text('{"size":   16}\n', encoding="utf-8")
    (folder / "processor_config.json").write_text('{"image_seq_len":   4}\n', encoding="utf-8")
    return folder


def write_text_model(
    folder: Path, family: str, seed: int = 1, dtype: torch.dtype = torch.float32, *, own_marks: bool = False, **settings: Any
) -> Path:
    """A random text model that fits the family's language part; `own_marks` gives it rows for the picture's tokens too."""
    torch.manual_seed(seed)
    tokens = [*WORDS, IMAGE, *MARKS] if own_marks else WORDS
    stated = {**_TEXT, **_OWN.get(family, {}), "vocab_size": len(tokens), **settings}
    if family not in _TIED:
        stated = _HEADED | stated
    model = AutoModelForCausalLM.from_config(FAMILIES[family].text(**stated))
    _shake(model)
    model.to(dtype).save_pretrained(folder)
    return write_tokenizer(folder, tokens, eos_token="w2")


def stored_name(family: str, name: str) -> str:
    """What the family calls a text model's tensor on disk."""
    begins = FAMILIES[family]
    if name.startswith("lm_head."):
        return begins.head + name.removeprefix("lm_head.")
    return begins.model + name.removeprefix("model.")


def rename_tensors(folder: Path, rename: Callable[[str], str]) -> Path:
    """Stores a model's tensors under other names, as other versions of transformers do."""
    path = folder / "model.safetensors"
    save_file({rename(name): tensor for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})
    return folder


def _shake(model: Any) -> None:
    """Norms and biases that are no ones and noughts, so that every tensor tells."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter += 0.2 * torch.randn(parameter.shape)


def _mark_special(path: Path, tokens: list[str]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    content["added_tokens"] = [
        {"id": IMAGE_ROW + row, "content": token, "special": True, "single_word": False, "lstrip": False, "rstrip": False}
        | {"normalized": False}
        for row, token in enumerate(tokens)
    ]
    path.write_text(json.dumps(content), encoding="utf-8")


TILED = ("smolvlm", "idefics3")
_TILE = 16


def write_seeing_model(folder: Path, family: str, seed: int = 0) -> Path:
    """As `write_vision_model`, with the family's image processor and a tokenizer that splits texts into words."""
    write_vision_model(folder, family, seed)
    (folder / "processor_config.json").unlink()
    image_processor(family).save_pretrained(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    # Gemma's own class wants tokens that this one lacks
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "w2"}
    (folder / "tokenizer_config.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


def image_processor(family: str) -> Any:
    """The family's own image processor for tiny tiles, on Pillow."""
    square = {"height": _TILE, "width": _TILE}
    if family in TILED:
        made = SmolVLMImageProcessorPil if family == "smolvlm" else Idefics3ImageProcessorPil
        return made(size={"longest_edge": 2 * _TILE}, max_image_size={"longest_edge": _TILE})
    if family.startswith("qwen"):
        sizes = {"shortest_edge": 8**2, "longest_edge": 32**2}
        return Qwen2VLImageProcessorPil(size=sizes, patch_size=4, merge_size=2, temporal_patch_size=2)
    if family == "gemma3":
        return Gemma3ImageProcessorPil(size=square)
    if family == "llava":
        return CLIPImageProcessorPil(size={"shortest_edge": _TILE}, crop_size=square)
    grid = [[16, 32], [32, 16], [32, 32]]
    return LlavaNextImageProcessorPil(size={"shortest_edge": _TILE}, crop_size=square, image_grid_pinpoints=grid)
