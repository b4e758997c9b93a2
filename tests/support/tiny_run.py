"""A run on tiny random models that takes seconds: real models, real NF4, real jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import yaml
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

WORDS = [*(f"w{i}" for i in range(100)), *(str(i) for i in range(100))]
TEMPLATE = "{% for m in messages %}{{ m['content'] }} {% endfor %}w1 "

# A task that tiny random models do now and then: about every other of their answers holds a seven.
SEVENS: dict[str, Any] = {
    "name": "sevens",
    "file": "items.jsonl",
    "fields": {"question": "question"},
    "prompt": "{question}",
    "gold": "{question}",
    "scorer": "regex",
    "pattern": "7",
    "max_new_tokens": 6,
}


def save_model(folder: Path, seed: int, start: LlamaForCausalLM | None = None, **changes: Any) -> LlamaForCausalLM:
    """A random Llama of 2 layers in bf16; with `start`, a fine-tune of it (a small random task vector)."""
    sizes: dict[str, Any] = {
        "vocab_size": len(WORDS),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "initializer_range": 0.2,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 2,
    }
    torch.manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(**(sizes | changes)))
    if start is not None:
        for parameter, base in zip(model.parameters(), start.parameters(), strict=True):
            parameter.data = base.data + 0.3 * parameter.data * (parameter.data.dim() > 1)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="w3"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "w2", "pad_token": "w2", "chat_template": TEMPLATE}
        )
    )
    return model


def write_recipe(folder: Path, **changes: Any) -> Path:
    """Base, two fine-tunes, items and a recipe in `folder`; `changes` replace the recipe's top-level keys."""
    folder.mkdir(parents=True, exist_ok=True)
    base = save_model(folder / "base", 0)
    for name, seed in (("first", 1), ("second", 2)):
        save_model(folder / name, seed, base)
    items = [{"question": f"w{i % 90 + 5} {i}", "answer": str(i * 7 % 100)} for i in range(60)]
    (folder / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    recipe: dict[str, Any] = {
        "evomerge": 1,
        "name": "tiny",
        "base": "./base",
        "sources": ["./first", "./second"],
        "search_space": {"groups": {"bands": 2}},
        "tasks": [
            {
                "name": "numbers",
                "file": "items.jsonl",
                "fields": {"question": "question", "answer": "answer"},
                "prompt": "{question}",
                "scorer": "final_number",
                "max_new_tokens": 4,
            }
        ],
        "splits": {"search": 12, "validation": 8, "test": 20},
        "budget": {"evaluations": 18},
        "evaluation": {"precision": "nf4", "confirm": ["bf16"], "device": "cpu"},
        "seed": 3,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**recipe, **changes}, sort_keys=False))
    return path


def scores(run: Path) -> list[tuple[Any, ...]]:
    """All that a run found out, clocks left out: evaluations and item scores, in a fixed order."""
    import sqlite3

    connection = sqlite3.connect(run / "run.db")
    evaluations = connection.execute(
        "SELECT c.kind, c.label, c.genome, e.split, e.precision, e.score, e.loss, e.failure, e.tokens FROM evaluations e "
        "JOIN candidates c ON c.id = e.candidate ORDER BY c.label, e.split, e.precision"
    ).fetchall()
    items = connection.execute(
        "SELECT c.label, i.* FROM item_scores i JOIN candidates c ON c.id = i.candidate "
        "ORDER BY c.label, i.split, i.precision, i.task, i.item"
    ).fetchall()
    connection.close()
    return [*evaluations, *((label, *row[1:]) for label, *row in items)]


def timeless(result: dict[str, Any]) -> dict[str, Any]:
    """A result without what depends on the clock or the folder."""
    return {key: value for key, value in result.items() if key not in ("run", "seconds", "files")}
