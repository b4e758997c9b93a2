"""The quickstart's vision-language base: SmolLM2-135M-Instruct as the language part of a small SmolVLM.

`write_body` puts together the eyes that are shipped (tower and connector) and the text model that `quickstart.base` gives.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from evomerge_core.sources.pretrained import read_config, read_tokenizer

EYES_FILE = Path(str(files("evomerge_recipes.quickstart_vlm"))) / "eyes" / "model.safetensors"
TILE = 32  # pixels of a tile's side; a picture is four tiles and an overview
IMAGE = "<image>"
_TILES = tuple(f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2))
MARKS = (IMAGE, "<fake_token_around_image>", "<global-img>", *_TILES)
_EMBEDDING = "model.text_model.embed_tokens.weight"
_TOWER: dict[str, Any] = {
    "hidden_size": 192,
    "intermediate_size": 768,
    "num_hidden_layers": 4,
    "num_attention_heads": 3,
    "image_size": TILE,
    "patch_size": 8,
}
# SmolLM2's own template, with a picture wherever a message's content is a list that has one.
_TEMPLATE = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}{{ '<|im_start|>' + message['role'] + '
' }}{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}\
{% if part['type'] == 'image' %}{{ '<image>' }}{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>
' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""
_CARD = """---
license: apache-2.0
base_model: HuggingFaceTB/SmolLM2-135M-Instruct
language: en
---
SmolLM2-135M-Instruct with the eyes of evomerge-tui's quickstart: tower and connector were trained by
`python -m evomerge_recipes.quickstart_vlm.train` on generated pictures of cards with digits, and know nothing else.
"""


def body_config(text: Path) -> Any:
    """transformers' config of a SmolVLM around a folder's text model, with rows for the picture's tokens behind its own."""
    from transformers import SmolVLMConfig

    inner = read_config(text).to_dict()
    del inner["_name_or_path"]
    first = inner["vocab_size"]
    settings: dict[str, Any] = {
        "text_config": inner | {"vocab_size": first + len(MARKS), "architectures": ["LlamaForCausalLM"]},
        "vision_config": dict(_TOWER),
        "image_token_id": first,
        "scale_factor": 2,
        "pad_token_id": inner["pad_token_id"],
        "tie_word_embeddings": inner["tie_word_embeddings"],
    }
    config = SmolVLMConfig(**settings)
    config.architectures, config.dtype = ["SmolVLMForConditionalGeneration"], inner["dtype"]
    return config


def image_processor() -> Any:
    """The image processor of the eyes, on Pillow."""
    from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

    return SmolVLMImageProcessorPil(size={"longest_edge": 2 * TILE}, max_image_size={"longest_edge": TILE})


def write_body(text: Path, eyes: dict[str, Tensor], folder: Path) -> None:
    """Writes the model's folder: the text model's tensors, `eyes` under their stored names, tokenizer and processor."""
    tensors = {name.replace("model.", "model.text_model.", 1): tensor for name, tensor in _text_tensors(text).items()}
    words = tensors[_EMBEDDING]
    # these rows stand in prompts around a picture; as the mean of all they say nothing, and are never the likeliest answer
    mean = words.double().mean(0).to(words.dtype)
    tensors[_EMBEDDING] = torch.cat([words, mean.expand(len(MARKS), -1)])
    folder.mkdir(parents=True)
    save_file(tensors | eyes, folder / "model.safetensors", metadata={"format": "pt"})
    body_config(text).save_pretrained(folder)
    image_processor().save_pretrained(folder)
    (folder / "processor_config.json").write_text(
        json.dumps({"image_seq_len": (TILE // 16) ** 2, "processor_class": "Idefics3Processor"}, indent=2), encoding="utf-8"
    )
    tokenizer = read_tokenizer(text)
    tokenizer.add_special_tokens({"additional_special_tokens": list(MARKS)})
    tokenizer.chat_template = _TEMPLATE
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(_CARD, encoding="utf-8")


def shipped_eyes() -> dict[str, Tensor]:
    """Tower and connector, by stored name."""
    return load_file(EYES_FILE)


def _text_tensors(text: Path) -> dict[str, Tensor]:
    return {name: tensor for path in sorted(text.glob("*.safetensors")) for name, tensor in load_file(path).items()}
