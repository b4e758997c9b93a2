"""With keys alone, from Home to a chat about a picture: a recipe with pictures is run, its winner exported and asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from textual.pilot import Pilot

from evomerge_core.run.run_folder.lock import is_held
from evomerge_tui.app import EvomergeApp
from evomerge_tui.processes.job import end_now
from evomerge_tui.screens.chat.chat import ChatScreen
from evomerge_tui.screens.dashboard.dashboard import DashboardScreen
from evomerge_tui.screens.export.export import ExportScreen
from evomerge_tui.screens.new_run.open_recipe import OpenRecipe
from evomerge_tui.screens.new_run.review.review_step import ReviewStep
from evomerge_tui.screens.new_run.screen import NewRunScreen
from support.screen_tools import make_app, shown, until
from support.seeing_gguf_models import write_seeing_gguf_model
from support.seeing_runs import write_pictures

pytestmark = pytest.mark.anyio
_BLOCK = "\N{UPPER HALF BLOCK}"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three small vision-language models, pictures, questions about them, and a recipe."""
    for name in ("CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    place = tmp_path / "mine"
    for name, seed in (("base", 0), ("first", 3), ("second", 5)):
        folder = write_seeing_gguf_model(place / name, "smolvlm", seed, torch.bfloat16)
        (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n", encoding="utf-8")
    rows = [
        {"question": f"the cat {number}", "answer": f"sat {number}", "image": name}
        for number, name in enumerate(write_pictures(place, 5))
    ]
    (place / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    recipe = {
        "evomerge": 1,
        "name": "eyes",
        "base": "./base",
        "sources": [{"name": "first", "model": "./first"}, {"name": "second", "model": "./second"}],
        "search_space": {"groups": "whole"},
        "tasks": [{"name": "cards", "file": "items.jsonl", "prompt": "{question}", "scorer": "exact", "max_new_tokens": 3}],
        "splits": {"search": 2, "validation": 1, "test": 2},
        "budget": {"evaluations": 1},
        "evaluation": {"precision": "bf16", "device": "cpu"},
    }
    (place / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    monkeypatch.chdir(place)
    return place


async def focus(pilot: Pilot[int], app: EvomergeApp, name: str) -> None:
    """The focus to a widget, by the tab key."""
    for _ in range(60):
        if app.screen.focused is not None and app.screen.focused.id == name:
            return
        await pilot.press("tab")
    raise AssertionError(f"tab never comes to {name}")


async def test_from_home_to_a_chat_about_a_picture(place: Path) -> None:
    app = make_app(place, runs_folder=str(place / "runs"))
    run = place / "runs" / "eyes"
    async with app.run_test(size=(120, 40)) as pilot:
        try:
            await pilot.press("n")
            await until(pilot, lambda: isinstance(app.screen, NewRunScreen))
            await pilot.press("ctrl+o")
            await until(pilot, lambda: isinstance(app.screen, OpenRecipe))
            await focus(pilot, app, "recipe-file")
            await pilot.press(*"recipe.yaml", "enter")
            await until(pilot, lambda: isinstance(app.screen, NewRunScreen) and "the base itself" in shown(app))
            await pilot.press("ctrl+n")
            await until(pilot, lambda: _BLOCK in shown(app) and "What the model reads" in shown(app))
            await pilot.press("ctrl+n", "ctrl+n")
            await until(pilot, lambda: app.screen.query_one(ReviewStep).ready, 120)
            await pilot.press("s")
            await until(pilot, lambda: isinstance(app.screen, DashboardScreen))
            await until(pilot, lambda: "on the test" in shown(app) and not is_held(run), 300)
            await pilot.press("e")
            await until(pilot, lambda: isinstance(app.screen, ExportScreen) and "to see with: " in shown(app), 120)
            assert "Importance" not in shown(app)
            await pilot.press("s")
            await until(pilot, lambda: "✓ mmproj" in shown(app) and "✓ Q4_K_M" in shown(app), 300)
            assert "verified with pictures" in shown(app)
            names = sorted(path.name for path in (run / "winner" / "gguf").iterdir())
            assert [name.startswith("mmproj-") for name in names] == [False, True]
            assert not any("suspect" in name for name in names)
            await pilot.press("c")
            await until(pilot, lambda: isinstance(app.screen, ChatScreen) and "context" in shown(app), 120)
            await pilot.press(*"/image 1.png", "enter")
            await until(pilot, lambda: "Shown with the next message" in app.last_message)
            await pilot.press(*"the cat", "enter")
            await until(pilot, lambda: _BLOCK in shown(app) and "tokens/s" in shown(app), 120)
        finally:
            if is_held(run):
                end_now(run)
