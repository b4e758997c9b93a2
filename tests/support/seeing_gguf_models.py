"""Tiny random vision-language models with a tokenizer, a template and an image processor that llama.cpp reads too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from evomerge_core.files.picture import Picture
from evomerge_quant.gguf.convert.convert import run_converter, waiting_converter
from evomerge_quant.gguf.convert.halves import Half
from support.gguf_models import write_tokenizer
from support.vision_models import image_processor

TILE = 16
# The whole of a picture, and its four quarters.
TILED = ("smolvlm", "idefics3")
QWEN = ("qwen2-vl", "qwen2.5-vl", "qwen3-vl")
CONVERTED = (*TILED, *QWEN, "gemma3")
_MARKS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        TILED, ("<fake_token_around_image>", "<global-img>", *(f"<row_{r}_col_{c}>" for r in (1, 2) for c in (1, 2)))
    ),
    **dict.fromkeys(QWEN, ("<|video_pad|>", "<|vision_start|>", "<|vision_end|>")),
    "gemma3": ("<start_of_image>", "<end_of_image>"),
    "llava": (),
}
IMAGE: Mapping[str, str] = {
    **dict.fromkeys(TILED, "<image>"),
    **dict.fromkeys(QWEN, "<|image_pad|>"),
    "gemma3": "<image_soft_token>",
    "llava": "<image>",
}
# What the family's own chat template writes for a picture.
SHOWN: Mapping[str, str] = {
    **dict.fromkeys(TILED, "<image>"),
    **dict.fromkeys(QWEN, "<|vision_start|><|image_pad|><|vision_end|>"),
    "gemma3": "<start_of_image>",
    "llava": "<image>\\n",
}
_TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}"
    "{% for part in m['content'] %}{% if part['type'] == 'image' %}{{ 'SHOWN' }}{% elif part['type'] == 'text' %}"
    "{{ part['text'] }}{% endif %}{% endfor %}{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_TEXT: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_TOWER: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": TILE,
    "patch_size": 4,
}
_QWEN_TOWER: dict[str, Any] = {"depth": 4, "num_heads": 2, "patch_size": 4}
_ROPE = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}


def write_seeing_gguf_model(folder: Path, family: str, seed: int = 0, dtype: torch.dtype = torch.float32) -> Path:
    """A random model of the family, as transformers saves it and llama.cpp's converter can take it."""
    folder.mkdir(parents=True, exist_ok=True)
    image = _add_tokens(folder, family)
    torch.manual_seed(seed)
    text = {**_TEXT, "vocab_size": image + 1 + len(_MARKS[family]), "tie_word_embeddings": family == "gemma3"}
    model = AutoModelForImageTextToText.from_config(_CONFIGS[family](text, image))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter += 0.1 * torch.randn(parameter.shape)
            elif any(part in name for part in ("vision", "visual", "connector", "projector")):
                parameter.normal_(std=0.2)
    model.to(dtype).save_pretrained(folder)
    _image_processor(family).save_pretrained(folder)
    return folder


def _add_tokens(folder: Path, family: str) -> int:
    """A SentencePiece tokenizer with the family's tokens for pictures behind the words; gives the image token's row."""
    template = _TEMPLATE.replace("SHOWN", SHOWN[family])
    first = write_tokenizer(folder, leading_space=False, template=template)
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    flags = {"special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    content["added_tokens"] += [
        {"id": first + row, "content": token} | flags for row, token in enumerate((IMAGE[family], *_MARKS[family]))
    ]
    path.write_text(json.dumps(content), encoding="utf-8")
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings |= {"add_prefix_space": False, "add_bos_token": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return first


def _tiled(text: dict[str, Any], image: int, kind: str) -> Any:
    from transformers import Idefics3Config, SmolVLMConfig

    made = SmolVLMConfig if kind == "smolvlm" else Idefics3Config
    text |= {"model_type": "llama"}
    return made(
        text_config=text,
        vision_config=dict(_TOWER),
        image_token_id=image,
        scale_factor=2,
        pad_token_id=0,
        tie_word_embeddings=False,
    )


def _qwen(text: dict[str, Any], image: int, kind: str) -> Any:
    from transformers import Qwen2_5_VLConfig, Qwen2VLConfig, Qwen3VLConfig

    marks = {"image_token_id": image, "video_token_id": image + 1, "vision_start_token_id": image + 2}
    marks |= {"vision_end_token_id": image + 3}
    made, tower = {
        "qwen2-vl": (Qwen2VLConfig, {"embed_dim": 32, "hidden_size": 64, "mlp_ratio": 2}),
        "qwen2.5-vl": (
            Qwen2_5_VLConfig,
            {
                "hidden_size": 32,
                "out_hidden_size": 64,
                "intermediate_size": 48,
                "window_size": 112,  # llama.cpp knows no other
                "fullatt_block_indexes": [1, 3],
            },
        ),
        "qwen3-vl": (
            Qwen3VLConfig,
            {
                "hidden_size": 32,
                "out_hidden_size": 64,
                "intermediate_size": 48,
                "num_position_embeddings": 64,
                "deepstack_visual_indexes": [0, 1],
            },
        ),
    }[kind]
    if kind == "qwen3-vl":
        text["num_hidden_layers"] = 4  # features are added to the first two; llama.cpp needs layers behind them
    else:
        text.pop("head_dim")
    rope = {**_ROPE, "mrope_interleaved": True} if kind == "qwen3-vl" else _ROPE
    return made(text_config={**text, "rope_parameters": rope}, vision_config={**_QWEN_TOWER, **tower}, **marks)


def _gemma3(text: dict[str, Any], image: int) -> Any:
    from transformers import Gemma3Config

    tower = {"model_type": "siglip_vision_model", "vision_use_head": False, **_TOWER}
    marks = {"image_token_index": image, "boi_token_index": image + 1, "eoi_token_index": image + 2}
    text |= {"sliding_window": 32, "query_pre_attn_scalar": 16}
    return Gemma3Config(text_config=text, vision_config=tower, mm_tokens_per_image=4, **marks)


def _llava(text: dict[str, Any], image: int) -> Any:
    from transformers import LlavaConfig

    tower = {"model_type": "clip_vision_model", "projection_dim": 16, **_TOWER}
    text |= {"model_type": "llama"}
    return LlavaConfig(text_config=text, vision_config=tower, image_token_index=image)


_CONFIGS: Mapping[str, Callable[[dict[str, Any], int], Any]] = {
    **{kind: lambda text, image, kind=kind: _tiled(text, image, kind) for kind in TILED},
    **{kind: lambda text, image, kind=kind: _qwen(text, image, kind) for kind in QWEN},
    "gemma3": _gemma3,
    "llava": _llava,
}


def _image_processor(family: str) -> Any:
    if family in TILED:
        return image_processor(family)
    if family in QWEN:
        size = {"shortest_edge": 32 * 32, "longest_edge": 4096 * 64}
        return Qwen2VLImageProcessorPil(patch_size=4, merge_size=2, temporal_patch_size=2, size=size)
    square = {"height": TILE, "width": TILE}
    if family == "gemma3":
        return Gemma3ImageProcessorPil(size=square, image_seq_length=4)
    return CLIPImageProcessorPil(size={"shortest_edge": TILE}, crop_size=square)


def store_as_before(folder: Path) -> Path:
    """A Gemma 3 or LLaVA under the names that transformers 4.52 to 4.57 gave, in two files with an index."""
    path = folder / "model.safetensors"
    tensors = {_older(name): tensor for name, tensor in load_file(path).items()}
    path.unlink()
    names = sorted(tensors)
    files = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, held in files.items():
        save_file({name: tensors[name] for name in held}, folder / file, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, held in files.items() for name in held}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def _older(name: str) -> str:
    if name.startswith("language_model.model."):
        return f"model.language_model.{name.removeprefix('language_model.model.')}"
    return name.removeprefix("language_model.") if name.startswith("language_model.") else f"model.{name}"


def write_llava_mmproj(folder: Path, path: Path) -> Path:
    """Tower and projector of a tiny LLaVA as llama.cpp reads them (its `mlp` projector); its converter can't write them."""
    tensors = {name: tensor.float().numpy() for name, tensor in load_file(folder / "model.safetensors").items()}
    config = json.loads((folder / "config.json").read_text())
    tower = config["vision_config"]
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_uint32("clip.vision.image_size", tower["image_size"])
    writer.add_uint32("clip.vision.patch_size", tower["patch_size"])
    writer.add_uint32("clip.vision.embedding_length", tower["hidden_size"])
    writer.add_uint32("clip.vision.feed_forward_length", tower["intermediate_size"])
    writer.add_uint32("clip.vision.projection_dim", config["text_config"]["hidden_size"])
    writer.add_uint32("clip.vision.attention.head_count", tower["num_attention_heads"])
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", tower.get("layer_norm_eps", 1e-5))
    writer.add_uint32("clip.vision.block_count", tower["num_hidden_layers"])  # the last of which is left out
    writer.add_array("clip.vision.image_mean", list(_CLIP_MEAN))
    writer.add_array("clip.vision.image_std", list(_CLIP_STD))
    writer.add_bool("clip.use_gelu", False)
    for name, array in tensors.items():
        stored = _llava_name(name)
        if stored is not None:
            writer.add_tensor(stored, array.reshape(-1) if stored == "v.class_embd" else array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


_CLIP_MEAN, _CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_LLAVA_NAMES = {
    "embeddings.class_embedding": "v.class_embd",
    "embeddings.patch_embedding": "v.patch_embd",
    "embeddings.position_embedding": "v.position_embd",
    "pre_layrnorm": "v.pre_ln",
    "multi_modal_projector.linear_1": "mm.0",
    "multi_modal_projector.linear_2": "mm.2",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.out_proj": "attn_out",
    "layer_norm1": "ln1",
    "layer_norm2": "ln2",
    "mlp.fc1": "ffn_down",
    "mlp.fc2": "ffn_up",
}


def _llava_name(name: str) -> str | None:
    """llama.cpp's name for a stored tensor (tools/mtmd/legacy-models); None for one of the language part, or one left out."""
    if name.startswith("language_model.") or "post_layernorm" in name:
        return None
    name = name.removeprefix("vision_tower.").removeprefix("vision_model.").replace("encoder.layers.", "v.blk.")
    for ours, theirs in _LLAVA_NAMES.items():
        name = name.replace(ours, theirs)
    return name


def as_gguf(model: Path, converter: Path, place: Path) -> tuple[Path, Path]:
    """The language part in F32, and the `mmproj` file in F16."""
    place.mkdir(parents=True, exist_ok=True)
    made = (place / "tiny-1M-v1.0-F32.gguf", place / "mmproj-tiny-1M-v1.0-F16.gguf")
    kinds: tuple[tuple[Half, str], ...] = (("language", "F32"), ("eyes", "F16"))
    for path, (half, kind) in zip(made, kinds, strict=True):
        with waiting_converter(converter) as process:
            run_converter(process, model, path, kind, {"general.name": "tiny"}, lambda _: None, half)
    return made


def random_picture(width: int, height: int, seed: int = 0) -> Picture:
    """A picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Picture(Image.fromarray(pixels), f"{width}x{height} {seed}")


class SeeingOracle:
    """transformers' whole model, with prompts as its processors make them."""

    def __init__(self, folder: Path, family: str) -> None:
        self.family = family
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.processor = AutoImageProcessor.from_pretrained(folder, backend="pil")

    def inputs(self, prompt: str, images: Sequence[Any]) -> dict[str, torch.Tensor]:
        """The model's inputs for a prompt that has `SHOWN` of the family in each picture's place."""
        told = {"return_row_col_info": True} if self.family in TILED else {}
        nested = [list(images)] if self.family in TILED else list(images)
        read = dict(self.processor(images=nested, return_tensors="pt", **told)) if images else {}
        read.pop("num_crops", None)
        rows, columns = read.pop("rows", [[]])[0], read.pop("cols", [[]])[0]
        image, shown = IMAGE[self.family], SHOWN[self.family].replace("\\n", "\n")
        for number in range(len(images)):
            if self.family in TILED:
                written = _tiles(rows[number], columns[number])
            elif self.family in QWEN:
                grid = read["image_grid_thw"][number]
                written = f"<|vision_start|>{image * (int(grid.prod()) // 4)}<|vision_end|>"
            elif self.family == "gemma3":
                written = f"\n\n<start_of_image>{image * 4}<end_of_image>\n\n"
            else:
                written = image * 16 + "\n"
            prompt = prompt.replace(shown, written.replace(image, "\ue000"), 1)
        ids = self.tokenizer(prompt.replace("\ue000", image), return_tensors="pt", add_special_tokens=False).input_ids
        kinds = (ids == self.tokenizer.convert_tokens_to_ids(image)).long()
        told_by = {"gemma3": "token_type_ids", **dict.fromkeys(QWEN, "mm_token_type_ids")}.get(self.family)
        own = {} if told_by is None else {told_by: kinds}
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), **own, **read}

    @torch.no_grad()
    def answer(self, prompt: str, images: Sequence[Any], tokens: int) -> list[int]:
        """The tokens that it writes, always the likeliest."""
        given = self.inputs(prompt, images)
        written = self.model.generate(**given, do_sample=False, max_new_tokens=tokens, eos_token_id=2, pad_token_id=0)
        return [int(token) for token in written[0, given["input_ids"].shape[1] :]]


def _tiles(rows: int, columns: int) -> str:
    """As Idefics3's processor writes a picture: its tiles row by row, then the whole of it; four tokens each."""
    around, tile = "<fake_token_around_image>", "<image>" * 4
    lines = ["".join(f"{around}<row_{r + 1}_col_{c + 1}>{tile}" for c in range(columns)) + "\n" for r in range(rows)]
    return "".join(lines) + ("\n" if rows else "") + f"{around}<global-img>{tile}{around}"
