"""Tiny models that speak: random Llamas with byte-level tokenizers that have the special tokens of a test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
TURNS = ("<|im_start|>", "<|im_end|>")
WIDTH = 32
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
_TEXT = ("the quick brown fox jumps over the lazy dog", "what is two plus three? five.", "hello world, how are you")


def write_tokenizer(
    folder: Path,
    added: Sequence[str] = (),
    *,
    eos: str = "</s>",
    pad: str | None = None,
    template: str | None = None,
    leading: Sequence[str] = ("<unk>", "<s>", "</s>"),
) -> int:
    """Byte-level BPE: `leading` special tokens, 256 bytes, 21 merges, then `added` ones. Gives the number of tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    size = len(leading) + len(alphabet) + 21
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(leading), initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(_TEXT, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in added])
    tokenizer.save(str(folder / "tokenizer.json"))
    stated = {"bos_token": "<s>", "eos_token": eos, "unk_token": "<unk>", "pad_token": pad, "chat_template": template}
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **{key: value for key, value in stated.items() if value is not None},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return tokenizer.get_vocab_size()


def write_weights(
    folder: Path,
    rows: int,
    *,
    seed: int = 0,
    like: Path | None = None,
    tied: bool = False,
    eos: int | list[int] = 2,
    **settings: Any,
) -> LlamaForCausalLM:
    """A random Llama of 2 layers in float32 with these rows; with `like`, that model plus noise, new rows random."""
    sizes = {"hidden_size": WIDTH, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    stated = {"num_key_value_heads": 2, "max_position_embeddings": 128, "bos_token_id": 1, "pad_token_id": None}
    torch.manual_seed(seed)
    network = LlamaForCausalLM(
        LlamaConfig(**{**sizes, **stated, "vocab_size": rows, "tie_word_embeddings": tied, "eos_token_id": eos, **settings})
    )
    before = {} if like is None else AutoModelForCausalLM.from_pretrained(like, dtype=torch.float32).state_dict()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.1)
            if name in before:
                common = min(len(parameter), len(before[name]))
                parameter[:common] = before[name][:common] + 0.2 * parameter[:common] * (parameter.dim() > 1)
    network.save_pretrained(folder)
    return network


def write_speaking(
    folder: Path,
    added: Sequence[str] = (),
    *,
    eos: str = "</s>",
    pad: str | None = None,
    template: str | None = None,
    padded: int = 0,
    **weights: Any,
) -> Path:
    """A model with its tokenizer, whose config ends texts as its tokenizer does; `padded` rows stand for no token."""
    tokens = write_tokenizer(folder, added, eos=eos, pad=pad, template=template)
    ids = Tokenizer.from_file(str(folder / "tokenizer.json"))
    write_weights(folder, tokens + padded, **{"eos": ids.token_to_id(eos), **weights})
    return folder


def change_json(path: Path, **changes: Any) -> None:
    """Sets keys of a JSON file; None takes a key away."""
    content = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}), encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def logits(folder: Path, ids: Sequence[int]) -> Tensor:
    """What transformers computes with the model in a folder, in float32."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        found: Tensor = model(torch.tensor([list(ids)])).logits[0]
    return found
