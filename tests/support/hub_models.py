"""Published models as a hub shows them before a download: configs, tensor shapes, tokenizers; no weights."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

from support.loopback_hub import File, Sparse, safetensors_file


def _family(kind: str, sizes: str, **settings: Any) -> dict[str, Any]:
    """A config; `sizes` are width, inner width, layers, heads, heads of keys, rows, base of RoPE."""
    names = (
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "vocab_size",
    )
    *numbers, theta = sizes.split()
    architecture = {"qwen2": "Qwen2", "qwen3": "Qwen3", "mistral": "Mistral", "llama": "Llama"}[kind]
    return {
        "model_type": kind,
        "architectures": [f"{architecture}ForCausalLM"],
        **dict(zip(names, map(int, numbers), strict=True)),
        "rope_theta": float(theta),
        "tie_word_embeddings": kind.startswith("qwen"),
        "max_position_embeddings": 32768,
        **settings,
    }


FAMILIES: dict[str, dict[str, Any]] = {
    "qwen2.5-0.5b": _family("qwen2", "896 4864 24 14 2 151936 1e6"),
    "qwen2.5-1.5b": _family("qwen2", "1536 8960 28 12 2 151936 1e6"),
    "qwen2.5-3b": _family("qwen2", "2048 11008 36 16 2 151936 1e6"),
    "mistral-7b": _family("mistral", "4096 14336 32 32 8 32000 1e4"),
    "llama-3.1-8b": _family("llama", "4096 14336 32 32 8 128256 5e5"),
    "qwen3-4b": _family("qwen3", "2560 9728 36 32 8 151936 5e6", head_dim=128),
}
_IMAGE_ROW = 500
_CLIP = {"model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24}
_CLIP |= {"num_attention_heads": 16, "image_size": 336, "patch_size": 14, "projection_dim": 768, "vocab_size": 32000}
_GRID = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]
_TURNED = {"rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1e6}
# A config, and what its image processor is told.
SEEING: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "llava-1.6-mistral-7b": (
        {
            "model_type": "llava_next",
            "architectures": ["LlavaNextForConditionalGeneration"],
            "text_config": {**FAMILIES["mistral-7b"], "vocab_size": 32064},
            "vision_config": _CLIP,
            "image_token_index": _IMAGE_ROW,
            "image_grid_pinpoints": _GRID,
            "tie_word_embeddings": False,
        },
        {
            "image_processor_type": "LlavaNextImageProcessor",
            "image_grid_pinpoints": _GRID,
            "size": {"shortest_edge": 336},
            "crop_size": {"height": 336, "width": 336},
        },
    ),
    "qwen2-vl-2b": (
        {
            "model_type": "qwen2_vl",
            "architectures": ["Qwen2VLForConditionalGeneration"],
            "text_config": {
                **{key: value for key, value in FAMILIES["qwen2.5-1.5b"].items() if key not in ("model_type", "rope_theta")},
                "model_type": "qwen2_vl_text",
                "rope_parameters": _TURNED,
                "rms_norm_eps": 1e-6,
            },
            "vision_config": {"depth": 32, "embed_dim": 1280, "num_heads": 16, "hidden_size": 1536, "patch_size": 14},
            "image_token_id": _IMAGE_ROW,
            "tie_word_embeddings": True,
        },
        {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "merge_size": 2},
    ),
}
TEMPLATE = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}<|assistant|>"


def hub_model(family: str, *, licence: str | None = "apache-2.0", chat: bool = True, pickled: bool = False) -> dict[str, File]:
    """The files of a model of a family: safetensors of zeros, or pickles of the same size."""
    weights = _weights(family)
    files: dict[str, File] = {
        "config.json": json.dumps({**FAMILIES[family], "bos_token_id": 1, "eos_token_id": 2}).encode(),
        "tokenizer.json": _tokenizer(),
        "tokenizer_config.json": json.dumps(
            {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "w2", **({"chat_template": TEMPLATE} if chat else {})}
        ).encode(),
        ("pytorch_model.bin" if pickled else "model.safetensors"): Sparse(b"PK", weights.size) if pickled else weights,
    }
    return {**files, "README.md": f"---\nlicense: {licence}\n---\n# A model\n".encode()} if licence else files


def hub_seeing_model(family: str) -> dict[str, File]:
    """The same of a vision-language model, with its processor's settings."""
    config, processor = SEEING[family]
    with torch.device("meta"):
        named = AutoConfig.for_model(**json.loads(json.dumps(config)))
        model = AutoModelForImageTextToText.from_config(named)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items() if not _is_tied(name, config)}
    return {
        "config.json": json.dumps({**config, "bos_token_id": 1, "eos_token_id": 2}).encode(),
        "preprocessor_config.json": json.dumps(processor).encode(),
        "tokenizer.json": _tokenizer("<image>"),
        "tokenizer_config.json": json.dumps(
            {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "w2", "chat_template": TEMPLATE}
        ).encode(),
        "model.safetensors": safetensors_file(shapes),
        "README.md": b"---\nlicense: apache-2.0\n---\n# A model\n",
    }


def _is_tied(name: str, config: dict[str, Any]) -> bool:
    return bool(config["tie_word_embeddings"]) and name == "lm_head.weight"


@lru_cache(maxsize=8)
def _weights(family: str) -> Sparse:
    settings = dict(FAMILIES[family])
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(settings.pop("model_type"), **settings))
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if settings["tie_word_embeddings"]:
        shapes.pop("lm_head.weight", None)
    return safetensors_file(shapes)


def _tokenizer(*special: str) -> bytes:
    tokenizer = Tokenizer(models.WordLevel({f"w{i}": i for i in range(500)}, unk_token="w3"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(list(special))
    return tokenizer.to_str().encode()
