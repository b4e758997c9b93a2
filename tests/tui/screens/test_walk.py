"""From Home to Chat on a real job with a small model: once with keys alone, once with the mouse alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from textual.pilot import Pilot

from evomerge_tui.app import EvomergeApp
from evomerge_tui.screens.chat.chat import ChatScreen
from evomerge_tui.screens.dashboard.dashboard import DashboardScreen
from evomerge_tui.screens.new_run.screen import NewRunScreen
from support.gguf_models import make_model
from support.screen_tools import click_text, make_app, shown, until

PATIENCE = 240.0


pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("converter")]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe for tiny models that llama.cpp can read."""
    for seed, name in enumerate(("base", "first", "second")):
        make_model(tmp_path / name, dtype=torch.bfloat16, seed=seed)
    items = [{"question": f"How much is {i} and {i}?", "answer": str(2 * i)} for i in range(24)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    data: dict[str, Any] = {
        "evomerge": 1,
        "name": "cross",
        "base": "./base",
        "sources": ["./first", "./second"],
        "search_space": {"method": "task_arithmetic", "groups": "whole"},
        "tasks": [
            {"name": "sums", "file": "items.jsonl", "fields": {"question": "question", "answer": "answer"},
             "prompt": "{question}", "scorer": "final_number", "max_new_tokens": 4}
        ],
        "splits": {"search": 8, "validation": 4, "test": 8},
        "budget": {"evaluations": 4},
        "evaluation": {"precision": "fp32", "device": "cpu"},
    }  # fmt: skip
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


async def test_with_keys_alone(recipe: Path) -> None:
    app = make_app(recipe.parent, runs_folder=str(recipe.parent))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "Quickstart" in shown(app))
        await pilot.press("n")
        await until(pilot, lambda: "Models" in shown(app))
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "Open a recipe" in shown(app))
        await pilot.press("tab", *_keys(str(recipe)), "enter")
        await until(pilot, lambda: "› cross" in shown(app))
        await until(pilot, lambda: app.screen.focused is not None)
        await pilot.press("ctrl+n", "ctrl+n", "ctrl+n")
        await until(pilot, lambda: "Start" in shown(app), PATIENCE)
        await _start(app, pilot, lambda: pilot.press("s"))
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen), PATIENCE)
        await until(pilot, lambda: "✓ finished" in shown(app), PATIENCE)
        await pilot.press("e")
        await until(pilot, lambda: "to be written" in shown(app), PATIENCE)
        await pilot.press("s")
        await until(pilot, lambda: "c: chat with it" in shown(app), PATIENCE)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen) and "context" in shown(app), PATIENCE)
        await pilot.press(*"hello", "enter")
        await until(pilot, lambda: "tokens/s" in shown(app), PATIENCE)


async def test_with_the_mouse_alone(recipe: Path) -> None:
    """But for what must be typed: a path, and what is said."""
    app = make_app(recipe.parent, runs_folder=str(recipe.parent))
    async with app.run_test(size=(120, 40)) as pilot:
        await click_text(pilot, "New run")
        await until(pilot, lambda: isinstance(app.screen, NewRunScreen))
        await click_text(pilot, "? Help")
        await click_text(pilot, "Open recipe")
        await click_text(pilot, "Path to the file")
        await pilot.press(*_keys(str(recipe)))
        await click_text(pilot, "Open", beside="Cancel")
        await until(pilot, lambda: "› cross" in shown(app))
        await click_text(pilot, "Review")
        await until(pilot, lambda: "Start" in shown(app), PATIENCE)
        await _start(app, pilot, lambda: click_text(pilot, "s Start"))
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen), PATIENCE)
        await until(pilot, lambda: "✓ finished" in shown(app), PATIENCE)
        await click_text(pilot, "e Export")
        await until(pilot, lambda: "to be written" in shown(app), PATIENCE)
        await click_text(pilot, "s Start")
        await until(pilot, lambda: "c: chat with it" in shown(app), PATIENCE)
        await click_text(pilot, "c Chat")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen) and "context" in shown(app), PATIENCE)
        await click_text(pilot, "Write a message")
        await pilot.press(*"hello")
        await click_text(pilot, "enter Send")
        await until(pilot, lambda: "tokens/s" in shown(app), PATIENCE)


async def _start(app: EvomergeApp, pilot: Pilot[int], do: Any) -> None:
    """Starts once the checklist lets one."""
    await until(pilot, lambda: re.search("ok +RAM", shown(app)), PATIENCE)
    await do()


def _keys(text: str) -> list[str]:
    """A text as keys."""
    names = {"/": "slash", ".": "full_stop", "_": "underscore", "-": "minus"}
    return [names.get(sign, sign) for sign in text]
