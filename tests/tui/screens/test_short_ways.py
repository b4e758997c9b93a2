"""From Home to a running merge in few keys; folders by name and by sight; fields that esc leaves; steps that tell the truth."""

from __future__ import annotations

import csv
import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from evomerge_core.errors import InputError
from evomerge_core.recipe.efforts import fitted_splits
from evomerge_core.run.run_folder.lock import is_held
from evomerge_core.run.view.overview import read_overview
from evomerge_tui.app import EvomergeApp
from evomerge_tui.processes import job
from evomerge_tui.screens.dashboard.dashboard import DashboardScreen
from evomerge_tui.screens.new_run.goal.add_task import AddTask
from evomerge_tui.screens.new_run.models.folder_picker import FolderPicker
from evomerge_tui.screens.new_run.review.review_step import ReviewStep
from evomerge_tui.screens.new_run.screen import NewRunScreen
from support.screen_tools import click_text, make_app, shown, table, until
from support.tiny_run import save_model

pytestmark = pytest.mark.anyio


def new_run(app: EvomergeApp) -> NewRunScreen:
    assert isinstance(app.screen, NewRunScreen)
    return app.screen


async def test_a_merge_of_two_models_on_a_csv_starts_in_under_twenty_keys(place: Path) -> None:
    """By somebody who knows what a base is: base, two sources, the file, its sizes, go."""
    (place / "recipe.yaml").unlink()
    (place / "items.jsonl").unlink()
    for config in place.glob("*/config.json"):
        # room for the answers of 256 tokens that a file of one's own gets
        config.write_text(json.dumps({**json.loads(config.read_text()), "max_position_embeddings": 1024}))
    with (place / "sums.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["question", "answer"])
        rows.writerows([f"w{n % 90 + 5} {n}", str(n * 7 % 100)] for n in range(60))
    app, pressed = make_app(place, runs_folder=str(place)), 0

    async def press(pilot: Pilot[int], *keys: str) -> None:
        nonlocal pressed
        pressed += len(keys)
        await pilot.press(*keys)

    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "Breed language models" in shown(app))
        await press(pilot, "n")
        await until(pilot, lambda: len(table(app, "model-list").rows) == 3)
        assert [Path(row.found.reference).name for row in table(app, "model-list").rows] == ["base", "first", "second"]  # type: ignore[attr-defined]
        await press(pilot, "b", "down", "space", "down", "space", "2")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "add")
        await press(pilot, "a")
        await until(pilot, lambda: isinstance(app.screen, AddTask))
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, NewRunScreen) and "Fit sizes" in shown(app))
        await press(pilot, "f")
        await until(pilot, lambda: "Fit sizes" not in shown(app))
        await press(pilot, "4")
        await until(pilot, lambda: app.screen.query_one(ReviewStep).ready)
        await press(pilot, "s")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen) and app.screen.query("#filter"))
        run = app.screen.folder  # type: ignore[attr-defined]
        try:
            await until(pilot, lambda: is_held(run) or read_overview(run).state == "finished")
        finally:
            with suppress(InputError):  # so small a run may have ended
                job.end_now(run)
    assert pressed < 20


async def test_a_folder_typed_into_the_search_is_looked_into(place: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    save_model(elsewhere / "third", 3)
    app = make_app(place, runs_folder=str(place))
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_new_run()
        await until(pilot, lambda: table(app, "model-list").rows)
        await pilot.press("slash", *"qqqq")
        await until(pilot, lambda: "Nothing contains 'qqqq': 3 rows are hidden by the filter" in shown(app))
        box = app.screen.query_one("#model-search", Input)
        for given, told in ((str(tmp_path / "nowhere"), "No such folder"), (str(elsewhere), "1 in elsewhere")):
            box.focus()
            box.value = given
            await pilot.press("enter")
            await until(pilot, lambda told=told: told in shown(app))
        await until(pilot, lambda: len(table(app, "model-list").rows) == 4)
        assert table(app, "model-list").row.found.reference == str(elsewhere / "third")  # type: ignore[attr-defined]


async def test_a_folder_is_picked_with_keys(place: Path) -> None:
    inner = place / "inner"
    save_model(inner / "third", 3)
    app = make_app(place / "base", runs_folder=str(place))
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_new_run()
        await until(pilot, lambda: table(app, "model-list").rows)
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, FolderPicker))
        app.screen.query_one("#folder-up").focus()
        await pilot.press("enter")
        await until(pilot, lambda: "inner" in shown(app))
        while app.screen.query_one("#folder-path", Input).value != str(inner):
            await pilot.press("down")
        await click_text(pilot, "Look here")
        await until(pilot, lambda: isinstance(app.screen, NewRunScreen) and len(table(app, "model-list").rows) == 2)


async def test_esc_leaves_the_field_and_then_the_screen(place: Path) -> None:
    app = make_app(place, runs_folder=str(place))
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_new_run()
        await until(pilot, lambda: table(app, "model-list").rows)
        await pilot.press("slash", *"first", "escape")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "model-list")
        new_run(app)
        await pilot.press("3", "tab", "escape")
        await until(pilot, lambda: app.focused is not None and not isinstance(app.focused, Input))
        new_run(app)
        await pilot.press("escape")
        await until(pilot, lambda: new_run(app)._step == "goal")


async def test_ticks_tell_the_truth(place: Path) -> None:
    """A broken model as base, and more items than there are, are no ticks; the checklist's is there when it was run."""
    (place / "base" / "config.json").write_text("{ broken")
    app = make_app(place, runs_folder=str(place))
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_new_run(place / "recipe.yaml")
        await until(pilot, lambda: "2 Goal ✓" in shown(app) and "1 Models …" in shown(app))
        shutil.copy(place / "first" / "config.json", place / "base" / "config.json")
        await pilot.press("r")
        await until(pilot, lambda: "1 Models ✓" in shown(app) and "4 Review …" in shown(app))
        await pilot.press("4")
        await until(pilot, lambda: "4 Review ✓" in shown(app))
        await pilot.press("3")
        app.screen.query_one("#items-search", Input).value = "80001312"
        await until(pilot, lambda: "2 Goal …" in shown(app) and "4 Review …" in shown(app))
        await pilot.press("2", "f")
        await until(pilot, lambda: "2 Goal ✓" in shown(app))
        splits = new_run(app).draft.get("splits")
        assert sum(splits[split] for split in ("search", "validation", "test")) <= 60


async def test_the_preview_follows_the_file(place: Path) -> None:
    """What is wrong with a file is gone from the screen soon after it is gone from the file."""
    right = (place / "items.jsonl").read_text()
    (place / "items.jsonl").write_text(right + "{ broken\n")
    app = make_app(place, runs_folder=str(place))
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_new_run(place / "recipe.yaml")
        await until(pilot, lambda: table(app, "model-list").rows and "numbers" in shown(app))
        await pilot.press("2")
        await until(pilot, lambda: "Can't be shown" in shown(app))
        doubtful = json.dumps({**json.loads(right.split("\n")[0]), "answer": "99"})
        (place / "items.jsonl").write_text(right + doubtful + "\n")
        await until(pilot, lambda: "answer the same question differently and are left out" in shown(app))
        assert "item 1 of 59" in shown(app)


@pytest.mark.parametrize("items", [2, 3, 5, 10, 79, 80, 81])
@pytest.mark.parametrize("wanted", [(48, 64, 200), (1, 1000, 1), (80_001_312, 0, 1), (1, 0, 10**9), (20, 20, 40)])
def test_fitted_sizes_fit(wanted: tuple[int, int, int], items: int) -> None:
    sizes = fitted_splits(dict(zip(("search", "validation", "test"), wanted, strict=True)), items)
    assert sum(sizes.values()) <= max(items, 2)
    assert sizes["search"] >= 1
    assert sizes["test"] >= 1
    assert all(sizes[split] <= most for split, most in zip(("search", "validation", "test"), wanted, strict=True))
