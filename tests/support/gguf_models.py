"""Random models of several families with a tokenizer made here, in the form that llama.cpp's converter reads."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    Glm4Config,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
)

SPACE = "\u2581"
_TEXTS = (
    "The quick brown fox jumps over 13 lazy dogs, doesn't it? (Yes: 100%.)",
    "Water boils at a lower temperature on a mountain, because the air is thin there.",
    "one two three four five six seven eight nine ten",
)
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
FAMILIES: dict[str, Callable[..., Any]] = {
    "llama": lambda **s: LlamaConfig(**s, tie_word_embeddings=False),
    "llama-tied": lambda **s: LlamaConfig(**s, tie_word_embeddings=True),
    "mistral": lambda **s: MistralConfig(**s, sliding_window=None, tie_word_embeddings=False),
    "qwen2": lambda **s: Qwen2Config(**{k: v for k, v in s.items() if k != "head_dim"}, tie_word_embeddings=False),
    "qwen3": lambda **s: Qwen3Config(**s, tie_word_embeddings=False),
    "gemma3": lambda **s: Gemma3TextConfig(**s, sliding_window=8, query_pre_attn_scalar=16, tie_word_embeddings=True),
    "phi3": lambda **s: Phi3Config(
        **{k: v for k, v in s.items() if k != "head_dim"},
        original_max_position_embeddings=256,
        sliding_window=None,
        tie_word_embeddings=False,
    ),
}

# A family for which the converter asks transformers to trust a model's code, and of which it knows real tokenizers only.
TRUSTED: dict[str, Callable[..., Any]] = {"glm4": lambda **s: Glm4Config(**s, tie_word_embeddings=False)}


def make_model(folder: Path, family: str = "llama", *, dtype: torch.dtype = torch.float32, seed: int = 0, **sizes: Any) -> Path:
    """Saves a random model of the family with a SentencePiece tokenizer of its own and ChatML for a template."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = write_tokenizer(folder, leading_space=family != "gemma3")
    torch.manual_seed(seed)
    config = (FAMILIES | TRUSTED)[family](**{**_SIZES, "vocab_size": rows, **sizes})
    model = AutoModelForCausalLM.from_config(config)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:  # norms and biases that do something
            torch.nn.init.normal_(parameter, mean=0.0 if "bias" in name or family == "gemma3" else 1.0, std=0.1)
    model.to(dtype).save_pretrained(folder)
    return folder


def write_tokenizer(folder: Path, *, leading_space: bool = True, template: str | None = CHATML) -> int:
    """Trains a SentencePiece model on a few lines; writes it, and the same as tokenizer.json. Gives the number of tokens."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_TEXTS * 20),
        model_writer=written,
        vocab_size=420,
        model_type="bpe",
        byte_fallback=True,
        character_coverage=1.0,
        add_dummy_prefix=leading_space,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(written.getvalue())
    pieces = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    _as_fast(pieces, leading_space=leading_space).save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "chat_template": template,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    return int(pieces.vocab_size())


def _as_fast(pieces: Any, *, leading_space: bool) -> Tokenizer:
    vocabulary = {pieces.IdToPiece(row): row for row in range(pieces.vocab_size())}
    pairs = [
        (pieces.GetScore(row), piece[:cut], piece[cut:])
        for piece, row in vocabulary.items()
        for cut in range(1, len(piece))
        if piece[:cut] in vocabulary and piece[cut:] in vocabulary and not pieces.IsByte(row) and not pieces.IsControl(row)
    ]
    merges = [(left, right) for _, left, right in sorted(pairs, key=lambda pair: -pair[0])]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    replace = normalizers.Replace(" ", SPACE)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), replace]) if leading_space else replace
    strip = [decoders.Strip(" ", 1, 0)] if leading_space else []
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), *strip])
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in ("<unk>", "<s>", "</s>")])
    return tokenizer
