"""A run on a tiny random vision-language model: items with pictures, two sources, and a recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from support.vision_models import write_seeing_model, write_text_model

SIZES = ((16, 16), (64, 64), (50, 23), (12, 40))
PROMPT = "w5 {image} w6 {question}"


def write_pictures(folder: Path, count: int) -> list[str]:
    """Pictures of noise in four sizes; their names."""
    random = np.random.default_rng(7)
    for number in range(count):
        width, height = SIZES[number % len(SIZES)]
        pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return [f"{number}.png" for number in range(count)]


def write_seeing_recipe(folder: Path, family: str, *, pictures: bool = True, **changes: Any) -> Path:
    """A base with eyes, a text model and another model with eyes for sources, items and a recipe; `changes` replace keys.

    No word begins with `w2`: transformers would read the end token there.
    """
    write_seeing_model(folder / "base", family)
    write_text_model(folder / "text", family)
    write_seeing_model(folder / "second", family, seed=3)
    names = write_pictures(folder, 10)
    rows: list[dict[str, str]] = [
        {"question": f"w{30 + n}", "answer": f"w{40 + n}"} | ({"image": name} if pictures else {})
        for n, name in enumerate(names)
    ]
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    task: dict[str, Any] = {
        "name": "cards",
        "file": "items.jsonl",
        "fields": {"question": "question", "answer": "answer"} | ({"image": "image"} if pictures else {}),
        "prompt": PROMPT if pictures else "w5 w6 {question}",
        "chat": False,
        "scorer": "exact",
        "max_new_tokens": 3,
    }
    recipe: dict[str, Any] = {
        "evomerge": 1,
        "name": "eyes",
        "base": "./base",
        "sources": [{"name": "text", "model": "./text"}, {"name": "second", "model": "./second"}],
        "search_space": {"groups": "whole"},
        "tasks": [task],
        "splits": {"search": 4, "validation": 2, "test": 4},
        "budget": {"evaluations": 6},
        "evaluation": {"precision": "nf4", "confirm": ["bf16"], "device": "cpu", "agreement": False},
        "seed": 3,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**recipe, **changes}, sort_keys=False), encoding="utf-8")
    return path
