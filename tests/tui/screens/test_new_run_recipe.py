"""A new run's recipe: opened, changed, tried, saved without loss; odd names; a hub; problems before the start."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from textual.widgets import Input

from evomerge_core.recipe.efforts import EFFORTS
from evomerge_core.recipe.load import dump_recipe, load_recipe
from evomerge_tui.app import EvomergeApp
from evomerge_tui.processes.planner.client import Planner
from evomerge_tui.screens.dialogs.confirm import Confirm
from evomerge_tui.screens.new_run.draft import (
    Draft,
    effort_of,
    moved_to,
    new_draft,
    with_base,
    with_effort,
    with_source,
    with_task,
)
from evomerge_tui.screens.new_run.field_titles import with_titles
from evomerge_tui.screens.new_run.open_recipe import OpenRecipe
from evomerge_tui.screens.new_run.review.review_step import ReviewStep, file_name
from evomerge_tui.screens.new_run.screen import NewRunScreen
from support.hub_models import hub_model
from support.loopback_hub import Hub, serve
from support.screen_tools import click_text, make_app, shown, table, until
from support.tiny_run import save_model, write_recipe

pytestmark = pytest.mark.anyio


def screen(app: EvomergeApp) -> NewRunScreen:
    assert isinstance(app.screen, NewRunScreen)
    return app.screen


async def test_a_recipe_is_opened_changed_and_saved_without_loss(place: Path) -> None:
    path = place / "recipe.yaml"
    before = load_recipe(path)
    app = make_app(place)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_new_run(path)
        await until(pilot, lambda: "Estimate" in shown(app))
        assert {row.role for row in table(app, "model-list").rows} == {"base", "source"}  # type: ignore[attr-defined]
        first = screen(app)._estimate
        await pilot.press("3")
        evaluations = app.screen.query_one("#evaluations", Input)
        evaluations.focus()
        await pilot.press("end", "0")
        await until(pilot, lambda: "180 candidates" in shown(app))
        await until(pilot, lambda: screen(app)._estimate not in (None, first))
        assert "Rough estimate from model size" in shown(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: screen(app).draft.is_saved)
    changed = before.model_copy(update={"budget": before.budget.model_copy(update={"evaluations": 180})})
    assert dump_recipe(load_recipe(path)) == dump_recipe(changed)


class _Late(Planner):
    """Answers some questions when it is told to."""

    def __init__(self, *late: str) -> None:
        super().__init__()
        self.late, self.go_on = late, asyncio.Event()

    async def ask(self, name: str, **parameters: Any) -> Any:
        answer = await super().ask(name, **parameters)
        if name in self.late:
            await self.go_on.wait()
        return answer


@pytest.mark.parametrize("by", ["open", "duplicate"])
async def test_a_recipe_takes_no_edits_before_it_is_there(by: str, place: Path) -> None:
    """What would be overwritten is refused: by keys on any step, and by the mouse."""
    app = make_app(place)
    async with app.run_test(size=(120, 40)) as pilot:
        new = NewRunScreen(place / "recipe.yaml" if by == "duplicate" else None)
        new.planner = late = _Late("open")
        app.push_screen(new)
        await until(pilot, lambda: "first" in shown(app) and "second" in shown(app))
        if by == "open":
            await pilot.press("ctrl+o")
            await until(pilot, lambda: isinstance(app.screen, OpenRecipe))
            app.screen.query_one("#recipe-file", Input).value = str(place / "recipe.yaml")
            await click_text(pilot, "Open  ")
        await until(pilot, lambda: "reading recipe.yaml" in shown(app))
        await pilot.press("space", "b", "ctrl+s", "3", "ctrl+n", "ctrl+o", "space", "a")
        await click_text(pilot, "Use as source")
        await click_text(pilot, "2 Goal")
        assert app.screen is new
        late.go_on.set()
        await until(pilot, lambda: new.draft.base and "reading" not in shown(app))
        assert new.draft.is_saved
        await pilot.press("space")
        await until(pilot, lambda: not new.draft.is_saved)


async def test_a_recipe_that_cant_be_read_leaves_what_there_was(place: Path) -> None:
    (place / "broken.yaml").write_text("name: [\n")
    app = make_app(place)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_new_run(place / "broken.yaml")
        await until(pilot, lambda: "not valid YAML" in app.last_message and "reading" not in shown(app))
        await until(pilot, lambda: table(app, "model-list").rows)
        await pilot.press("b")
        await until(pilot, lambda: screen(app).draft.base)


async def test_what_is_typed_while_a_recipe_is_saved_stays(place: Path) -> None:
    app = make_app(place)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_new_run(place / "recipe.yaml")
        await until(pilot, lambda: "Estimate" in shown(app))
        await until(pilot, lambda: app.focused is not None and app.focused.id == "model-list")
        await pilot.press("space")
        await until(pilot, lambda: not screen(app).draft.is_saved)
        written = len(screen(app).draft.sources)
        late = _Late("written")
        screen(app).planner, before = late, screen(app).planner
        await pilot.press("ctrl+s", "down", "space")
        await until(pilot, lambda: len(screen(app).draft.sources) != written)
        typed = screen(app).draft.data
        late.go_on.set()
        await until(pilot, lambda: "Saved" in app.last_message)
        assert screen(app).draft.data == typed
        assert not screen(app).draft.is_saved
        await before.close()
    assert len(load_recipe(place / "recipe.yaml").sources) == written


async def test_opening_another_recipe_asks_while_something_would_be_lost(place: Path) -> None:
    app = make_app(place)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_new_run(place / "recipe.yaml")
        await until(pilot, lambda: "Estimate" in shown(app))
        await pilot.press("space")
        await until(pilot, lambda: not screen(app).draft.is_saved)
        await pilot.press("ctrl+o", "enter")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, NewRunScreen))
        assert screen(app).draft.get("name") == "tiny"


async def test_leaving_asks_while_something_would_be_lost(place: Path) -> None:
    app = make_app(place)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_new_run(place / "recipe.yaml")
        await until(pilot, lambda: "Estimate" in shown(app))
        await pilot.press("space")
        await until(pilot, lambda: not screen(app).draft.is_saved)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, NewRunScreen))
        await pilot.press("escape")
        await click_text(pilot, "Leave  ")
        await until(pilot, lambda: not isinstance(app.screen, NewRunScreen))
    assert load_recipe(place / "recipe.yaml").name == "tiny"


async def test_the_parents_are_tried_and_problems_stop_the_start(place: Path) -> None:
    save_model(place / "second", 1, intermediate_size=96)
    app = make_app(place)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_new_run(place / "recipe.yaml")
        await until(pilot, lambda: "✗ no" in shown(app))
        await pilot.press("4")
        await until(pilot, lambda: "✗ problem" in shown(app) and "intermediate_size" in shown(app))
        assert not app.screen.query_one(ReviewStep).ready
        await pilot.press("s")
        await until(pilot, lambda: "fix them first" in app.last_message)
        shutil.copytree(place / "first", place / "second", dirs_exist_ok=True)
        await pilot.press("2", "t")
        await until(pilot, lambda: "Done" in shown(app))
        for label in ("base:", "first:", "second:"):
            assert label in shown(app)
        assert list(place.glob("runs/*")) == []


async def test_names_and_items_with_brackets_and_signs_are_only_text(tmp_path: Path) -> None:
    place = tmp_path / "[bold]odd[b] 🙂 שלום"
    write_recipe(place)
    (place / "base").rename(place / "[red]base[on x]")
    (place / "first").rename(place / "[model")
    items = [{"question": f"w{i} [/not a tag] \x1b[31m \u202e w{i}", "answer": f"{i}"} for i in range(60)]
    (place / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    recipe = yaml.safe_load((place / "recipe.yaml").read_text())
    recipe |= {"name": "[/] cross [on red]", "base": "./[red]base[on x]", "sources": ["./[model", "./second"]}
    (place / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    app = make_app(place)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_new_run(place / "recipe.yaml")
        await until(pilot, lambda: "[red]base[on x]" in shown(app) and "[model" in shown(app) and "Estimate" in shown(app))
        assert "[/] cross [on red]" in shown(app)
        await pilot.press("2")
        await until(pilot, lambda: "[/not a tag]" in shown(app))
        assert "\x1b" not in shown(app)
        assert "\u202e" not in shown(app)
        await pilot.press("4")
        await until(pilot, lambda: app.screen.query_one(ReviewStep).ready)
        await click_text(pilot, "Recipe")
    assert file_name("[/] cross [on red]") == "--- cross -on red-"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    facts = {
        "owner/small": {"config": {"architectures": ["Qwen2ForCausalLM"]}, "safetensors": {"parameters": {"BF16": 494032768},
                        "total": 494032768}, "tags": ["license:apache-2.0"], "downloads": 1200},
        "owner/small-gguf": {"library_name": "gguf", "tags": ["gguf"]},
    }  # fmt: skip
    facts["owner/small-wide"] = facts["owner/small"]
    models = {
        "owner/small": hub_model("qwen2.5-0.5b"),
        "owner/small-wide": hub_model("qwen2.5-1.5b"),
        "owner/small-gguf": {"model.gguf": b"GGUF"},
    }
    with serve(Hub(models, facts=facts)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.address)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield served


async def test_the_hub_is_searched_and_a_model_compared_before_it_is_downloaded(hub: Hub, place: Path) -> None:
    app = make_app(place)
    async with app.run_test(size=(140, 40)) as pilot:
        app.open_new_run()
        await until(pilot, lambda: table(app, "model-list").rows)
        await pilot.press("slash", *"small", "enter")
        await until(pilot, lambda: "owner/small" in shown(app) and "494 M" in shown(app))
        assert "✗ no" in shown(app)  # the GGUF
        await click_text(pilot, "owner/small ")
        await until(pilot, lambda: "apache-2.0" in shown(app) and "1,200 downloads" in shown(app))
        await pilot.press("b")
        await until(pilot, lambda: screen(app).draft.base == "owner/small")
        await click_text(pilot, "owner/small-wide")
        await until(pilot, lambda: "hidden_size is 1536, but 896" in shown(app))
        assert all("bytes=" in line for line in hub.requests if line.startswith("GET") and "safetensors" in line)
        hub.pause = 0.2
        await pilot.press("d")
        await until(pilot, lambda: "↓" in shown(app))
        await pilot.press("d")
        await until(pilot, lambda: "download cancelled" in app.last_message)


def test_a_draft_keeps_what_no_screen_shows(place: Path) -> None:
    data = yaml.safe_load((place / "recipe.yaml").read_text())
    data["tasks"][0]["stop"] = ["w9"]
    data["search"] = {"sigma": 0.3, "racing": False}
    draft = Draft(data, place)
    changed = with_effort(draft.put(7, "seed"), EFFORTS["quick"])
    assert changed.get("tasks", 0, "stop") == ["w9"]
    assert changed.get("search") == {"sigma": 0.3, "racing": False}
    assert effort_of(changed) == "quick"
    assert draft.get("seed") == 3
    assert changed.put(None, "seed").get("seed") is None


def test_a_draft_moves_to_another_folder_with_its_paths(place: Path, tmp_path: Path) -> None:
    moved = moved_to(Draft(load_data(place), place), tmp_path)
    assert moved.base == str(place / "base")
    assert [source["model"] for source in moved.sources] == [str(place / "first"), str(place / "second")]
    assert moved.get("tasks", 0, "file") == str(place / "items.jsonl")
    assert moved_to(moved, tmp_path) == moved


def load_data(place: Path) -> dict[str, object]:
    """A recipe's keys as the planner hands them out: every source as a mapping."""
    data: dict[str, object] = yaml.safe_load(dump_recipe(load_recipe(place / "recipe.yaml")))
    return data


def test_labels_and_names_of_tasks_stay_apart(tmp_path: Path) -> None:
    draft = with_source(with_source(new_draft(tmp_path), "one/model"), "two/model")
    assert [source["name"] for source in draft.sources] == ["model", "model-2"]
    tasks = with_task(with_task(draft, {"task": "gsm8k", "name": "gsm8k"}), {"task": "gsm8k", "name": "gsm8k"})
    assert [task["name"] for task in tasks.tasks] == ["gsm8k", "gsm8k-2"]


def test_adapters_follow_their_base(tmp_path: Path) -> None:
    draft = with_source(with_base(new_draft(tmp_path), "one/base"), "one/base+some/lora")
    assert with_base(draft, "other/base").sources[0]["model"] == "other/base+some/lora"


@pytest.mark.parametrize(
    ("problem", "shown_as"),
    [
        ("key 'budget.evaluations' must be at least 1, not 0", "Candidates must be at least 1, not 0"),
        ("key 'tasks[1].weight' must be above 0, not -1", "Weight of task 2 must be above 0, not -1"),
        ("key 'merge.dtype' is unknown", "key 'merge.dtype' is unknown"),
        ("items.jsonl: no such file", "items.jsonl: no such file"),
    ],
)
def test_an_error_about_a_key_names_the_field_of_the_form(problem: str, shown_as: str) -> None:
    assert with_titles(problem) == shown_as
