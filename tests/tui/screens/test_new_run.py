"""A new run, from nothing to a job at work: with keys only, and with the mouse only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from textual.pilot import Pilot

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.run_folder.lock import is_held
from evomerge_core.run.run_folder.names import RECIPE
from evomerge_core.run.view.progress import read_progress
from evomerge_tui.app import EvomergeApp
from evomerge_tui.processes.job import end_now
from evomerge_tui.screens.dashboard.dashboard import DashboardScreen
from evomerge_tui.screens.new_run.review.review_step import ReviewStep
from evomerge_tui.screens.new_run.screen import NewRunScreen
from support.screen_tools import click_text, make_app, shown, table, until
from support.tiny_run import save_model

pytestmark = pytest.mark.anyio


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three tiny models and a file of items, and nothing known of past runs."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    place = tmp_path / "mine"
    base = save_model(place / "base", 0, max_position_embeddings=512)
    for name, seed in (("first", 1), ("second", 2)):
        save_model(place / name, seed, base, max_position_embeddings=512)
    items = [{"question": f"w{i % 90 + 5} {i}", "answer": str(i * 7 % 100)} for i in range(60)]
    (place / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    return place


def new_run(app: EvomergeApp) -> NewRunScreen:
    assert isinstance(app.screen, NewRunScreen)
    return app.screen


def models(app: EvomergeApp) -> dict[str, Any]:
    """The rows of the list of models, by the last part of their path."""
    rows: list[Any] = list(table(app, "model-list").rows)
    return {Path(row.found.reference).name: row for row in rows}


async def move_to(pilot: Pilot[int], app: EvomergeApp, name: str) -> None:
    """The cursor to a model, by its arrow keys."""
    rows: Any = table(app, "model-list")
    names = [Path(row.found.reference).name for row in rows.rows]
    steps = names.index(name) - names.index(Path(rows.row.found.reference).name)
    for _ in range(abs(steps)):
        await pilot.press("down" if steps > 0 else "up")


async def focus(pilot: Pilot[int], app: EvomergeApp, name: str) -> None:
    """The focus to a widget, by the tab key."""
    for _ in range(60):
        if app.screen.focused is not None and app.screen.focused.id == name:
            return
        await pilot.press("tab")
    raise AssertionError(f"tab never comes to {name}")


def check_run(folder: Path, place: Path) -> None:
    """The recipe that was frozen, and the job that carries it out."""
    recipe = load_recipe(folder / RECIPE)
    assert recipe.base == str(place / "base")
    assert {source.model for source in recipe.sources} == {str(place / "first"), str(place / "second")}
    assert recipe.tasks[0].file == str(place / "items.jsonl")
    assert recipe.tasks[0].scorer == "final_number"
    assert recipe.splits.search + recipe.splits.validation + recipe.splits.test <= 60


async def see_the_job(pilot: Pilot[int], app: EvomergeApp, folder: Path, place: Path) -> None:
    await until(pilot, lambda: isinstance(app.screen, DashboardScreen))
    await until(pilot, lambda: read_progress(folder).phase == "references", 180)
    check_run(folder, place)
    if is_held(folder):
        end_now(folder)


async def choose_models(pilot: Pilot[int], app: EvomergeApp) -> None:
    """From Home, with keys: a new run's base and both sources."""
    await pilot.press("n")
    await until(pilot, lambda: isinstance(app.screen, NewRunScreen) and {"base", "first", "second"} <= set(models(app)))
    await move_to(pilot, app, "base")
    await pilot.press("b")
    await until(pilot, lambda: models(app)["base"].role == "base")
    for name in ("first", "second"):
        await move_to(pilot, app, name)
        await pilot.press("space")
    await until(pilot, lambda: models(app)["second"].role == "source" and models(app)["second"].fit.fits)


async def test_with_keys_only(place: Path) -> None:
    app = make_app(place, runs_folder=str(place / "runs"))
    async with app.run_test(size=(120, 40)) as pilot:
        await choose_models(pilot, app)
        await pilot.press("ctrl+n", "a")
        await until(pilot, lambda: "items.jsonl" in shown(app))
        await pilot.press("home", "enter")
        await until(pilot, lambda: "What the model reads" in shown(app))
        assert "final_number" in shown(app)
        await until(pilot, lambda: "there are 60" in shown(app))
        await focus(pilot, app, "fit-sizes")
        await pilot.press("enter")
        await pilot.press("ctrl+n")
        await focus(pilot, app, "evaluations")
        await pilot.press("backspace", "backspace", "backspace", "9")
        await until(pilot, lambda: new_run(app)._estimate and "9 candidates" in shown(app))
        await pilot.press("ctrl+n")
        await until(pilot, lambda: "Compatibility" in shown(app) and app.screen.query_one(ReviewStep).ready)
        await pilot.press("s")
        await see_the_job(pilot, app, place / "runs" / "my-cross", place)


async def test_the_childs_tokenizer_is_chosen_with_keys(place: Path) -> None:
    app = make_app(place, runs_folder=str(place / "runs"))
    async with app.run_test(size=(120, 40)) as pilot:
        await choose_models(pilot, app)
        await focus(pilot, app, "tokenizer")
        await pilot.press("enter", "end", "enter")
        await until(pilot, lambda: new_run(app).draft.get("tokenizer_source") == "second")
        assert new_run(app).draft.tokenizer == str(place / "second")
        # what is merged no more can't give its tokenizer
        await focus(pilot, app, "model-list")
        await move_to(pilot, app, "second")
        await pilot.press("space")
        await until(pilot, lambda: models(app)["second"].role == "")
        assert new_run(app).draft.get("tokenizer_source") is None
        await focus(pilot, app, "tokenizer")
        await pilot.press("enter", "end", "enter")
        await until(pilot, lambda: new_run(app).draft.get("tokenizer_source") == "first")
        await pilot.press("enter", "home", "enter")
        await until(pilot, lambda: new_run(app).draft.get("tokenizer_source") is None)


async def test_with_the_mouse_only(place: Path) -> None:
    app = make_app(place, runs_folder=str(place / "runs"))
    async with app.run_test(size=(120, 40)) as pilot:
        await click_text(pilot, "New run")
        await until(pilot, lambda: isinstance(app.screen, NewRunScreen) and {"base", "first", "second"} <= set(models(app)))
        await click_text(pilot, "mine/base")
        await pilot.click("#base")
        await until(pilot, lambda: models(app)["base"].role == "base")
        await click_text(pilot, "mine/first", times=2)
        await until(pilot, lambda: models(app)["first"].role == "source")
        await click_text(pilot, "mine/second")
        await pilot.click("#use")
        await until(pilot, lambda: models(app)["second"].role == "source")
        await click_text(pilot, "Next: goal")
        await click_text(pilot, "Add task")
        await click_text(pilot, "items.jsonl")
        await click_text(pilot, "Fit sizes")
        await click_text(pilot, "Next: search")
        await click_text(pilot, "Balanced")
        await click_text(pilot, "Quick")
        await until(pilot, lambda: "36 candidates" in shown(app))
        await click_text(pilot, "4 Review")
        await until(pilot, lambda: "Compatibility" in shown(app) and app.screen.query_one(ReviewStep).ready)
        await pilot.click("#start")
        await see_the_job(pilot, app, place / "runs" / "my-cross", place)
        saved = yaml.safe_load((place / "runs" / "my-cross.yaml").read_text())
        assert saved["budget"] == {"evaluations": 36}
