"""Items in the layouts of data sets, and a merge that names rows of tokens."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_WORDS = ("fox", "dog", "hen", "owl")
_LETTERS = "ABCD"
# Items files, and how each is read: choices in a column each, in an object by letters, in a cell as text.
LAYOUTS: Mapping[str, dict[str, Any]] = {
    "columns.csv": {
        "fields": {"question": "question", "choices": ["A", "B", "C", "D"], "answer": "answer"},
        "choices": "choices",
    },
    "letters.jsonl": {"choices": "options"},
    "cells.csv": {"choices": "choices"},
}
_TOKENS: dict[str, Any] = {
    "merge_method": "linear",
    "models": [{"model": "base", "parameters": {"weight": 1.0}}, {"model": "first", "parameters": {"weight": 0.5}}],
    "dtype": "float32",
    "tokenizer": {
        "source": "union",
        "tokens": {
            "<s>": {"source": "first", "force": True},
            "</s>": {"source": {"kind": "zero"}},
            "<|new|>": {"source": {"kind": "model_token", "model": "base", "token_id": 7}},
            "a": {"source": {"kind": "model_token", "model": {"model": {"path": "first"}}, "token": "b"}, "force": True},
        },
        "pad_to_multiple_of": 16,
    },
}


def write_layouts(folder: Path, recipe: Mapping[str, Any]) -> None:
    """Writes the items, a recipe named after each of their files, and `tokens.yml`."""
    choices = dict(zip(_LETTERS, _WORDS, strict=True))
    rows = [{"question": f"Which, {n}?", "answer": _LETTERS[n % 4]} for n in range(40)]
    _write_table(folder / "columns.csv", [{**row, **choices} for row in rows])
    _write_table(folder / "cells.csv", [{**row, "choices": str(list(_WORDS))} for row in rows])
    lines = [json.dumps({**row, "options": choices}) for row in rows]
    (folder / "letters.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for file, keys in LAYOUTS.items():
        task = {"name": "choice", "file": file, "scorer": "multiple_choice", "prompt": "{question}", "chat": False, **keys}
        text = yaml.safe_dump({**recipe, "tasks": [task]}, sort_keys=False)
        (folder / f"{Path(file).stem}.yaml").write_text(text, encoding="utf-8")
    (folder / "tokens.yml").write_text(yaml.safe_dump(_TOKENS, sort_keys=False), encoding="utf-8")


def _write_table(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
