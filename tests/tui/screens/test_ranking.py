"""Ranking the sources of a new run, by keys alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from evomerge_tui.screens.new_run.draft import Draft, moved_to
from support.screen_tools import make_app, shown, table, until
from support.tiny_run import write_recipe

pytestmark = pytest.mark.anyio


async def test_sources_are_ranked_and_a_copy_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    recipe = write_recipe(tmp_path / "place", sources=["./first", "./second", "./again"])
    shutil.copytree(recipe.parent / "first", recipe.parent / "again")
    app = make_app(recipe.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_new_run(recipe)
        await until(pilot, lambda: len(table(app, "model-list").rows) == 4 and "first, second, again" in shown(app))
        await pilot.press("t")
        await until(pilot, lambda: "Best together" in shown(app), seconds=240)
        rows = {Path(row.found.reference).name: row for row in table(app, "model-list").rows}  # type: ignore[attr-defined]
        taken = {name for name, row in rows.items() if row.ranked is not None and row.ranked.taken}
        assert taken == {"first", "second"}
        assert "the same weights as first" in rows["again"].ranked.why
        assert rows["base"].ranked is None


async def test_ranking_says_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    recipe = write_recipe(tmp_path / "place", sources=["./first"])
    app = make_app(recipe.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_new_run(recipe)
        await until(pilot, lambda: len(table(app, "model-list").rows) == 3 and table(app, "model-list").has_focus)
        await pilot.press("t")
        await until(pilot, lambda: "at least two sources" in app.last_message)


def test_a_recipe_with_a_pool_moves_with_its_models(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    data = {"base": "./base", "pool": ["./adapters/*", {"model": "owner/name", "name": "n"}]}
    moved = moved_to(Draft(data, tmp_path / "old"), tmp_path / "new").data
    assert moved["pool"] == [f"{tmp_path}/old/adapters/*", {"model": "owner/name", "name": "n"}]
    assert "sources" not in moved
    assert yaml.safe_load(yaml.safe_dump(dict(moved))) == moved
