"""A cross as a folder that `evomerge-tui run` takes: its adapters, its items and its recipe."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from crosses.cross import Cross

RECIPE = "recipe.yaml"
_ITEMS = "items.jsonl"
_COUNT, _SEED = 2000, 11


def write_cross(cross: Cross, base: Path, adapters: Sequence[Path], out: Path) -> Path:
    """Writes the cross's folder anew and returns its recipe; `adapters` are copied, in the order of the cross's."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for adapter in adapters:
        shutil.copytree(adapter, out / "adapters" / adapter.name)
    lines = [json.dumps(item, ensure_ascii=False) for item in cross.items(_COUNT, _SEED)]
    (out / _ITEMS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    recipe = _recipe(cross, base.absolute(), [adapter.name for adapter in adapters])
    (out / RECIPE).write_text(yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return out / RECIPE


def _recipe(cross: Cross, base: Path, names: Sequence[str]) -> dict[str, Any]:
    """The quickstart's recipe, for other adapters and another task."""
    task = {
        "name": cross.name,
        "file": _ITEMS,
        "fields": {"question": "question", "answer": "answer", "gold": "gold"},
        "prompt": "{question}",
        "gold": "{gold}",
        "scorer": "final_number",
        "max_new_tokens": 16,
    }
    return {
        "evomerge": 1,
        "name": cross.name,
        "about": {"title": cross.title, "summary": "One of the crosses that settings are measured on."},
        "base": str(base),
        "sources": [{"model": f"{base}+./adapters/{name}", "name": name} for name in names],
        "search_space": {
            "method": "task_arithmetic",
            "groups": {"bands": 4},
            "parameters": {"weight": {"low": 0.0, "high": 2.0, "start": 1.0}},
        },
        "tasks": [task if cross.language is None else {**task, "language": cross.language}],
        "splits": {"search": 48, "validation": 48, "test": 200},
        "budget": {"evaluations": 80},
        "search": {"population": 16},
    }
