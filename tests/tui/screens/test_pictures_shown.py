"""Pictures on the screens: beside an item's prompt before a run, beside its answers after it, and in words without colours."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evomerge_core.files.picture import read_picture
from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.setup import create_run
from evomerge_core.run.view.asked_texts import read_asked_texts
from evomerge_tui.processes.job import work
from evomerge_tui.screens.candidate.candidate import CandidateScreen
from evomerge_tui.screens.new_run.goal.goal_step import GoalStep
from evomerge_tui.screens.new_run.screen import NewRunScreen
from evomerge_tui.widgets.picture_view import PictureView
from evomerge_tui.widgets.thumbnail import read_thumbnail, thumbnail
from support.screen_tools import make_app, shown, table, until
from support.seeing_runs import SIZES, write_seeing_recipe

pytestmark = pytest.mark.anyio
_BLOCK = "\N{UPPER HALF BLOCK}"


def corner(app: Any) -> tuple[int, int, int]:
    """The colour that the picture on the screen has at its upper left."""
    drawn = app.screen.query_one(PictureView).visual
    style = next(span.style for span in drawn.spans if drawn.plain[span.start] == _BLOCK)
    return style.foreground.rgb


def named(app: Any, names: Iterable[str]) -> list[str]:
    """The pictures whose names stand on the screen."""
    return [name for name in names if re.search(rf"(^|\s){re.escape(name)} \d+ x \d+", shown(app))]


def _shows_another(app: Any, names: Iterable[str], found: list[str]) -> bool:
    return bool(set(named(app, names)) - set(found))


def _has_colour(app: Any, colour: tuple[int, int, int]) -> bool:
    return corner(app) == colour


def plain(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Gives every picture a colour of its own, keeping its size; the colours by file name."""
    colours = {}
    for place, path in enumerate(sorted(folder.glob("*.png"))):
        colours[path.name] = (20 * place, 255 - 20 * place, 90)
        Image.new("RGB", Image.open(path).size, colours[path.name]).save(path)
    return colours


@pytest.fixture(scope="module")
def seen_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple[int, int, int]]]:
    """A finished run about pictures of one colour each, and the colours."""
    place = tmp_path_factory.mktemp("seen")
    recipe = write_seeing_recipe(place, "smolvlm", budget={"evaluations": 2})
    colours = plain(place)
    run = create_run(load_recipe(recipe), out=place / "run")
    assert work(run) == 0
    return run, colours


async def test_the_goal_step_shows_each_item_with_its_picture(
    seen_run: tuple[Path, dict[str, tuple[int, int, int]]],
) -> None:
    run, colours = seen_run
    app = make_app(run.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        app.push_screen(NewRunScreen(run.parent / "recipe.yaml"))
        await until(pilot, lambda: "the base itself" in shown(app) and "◉" in shown(app))
        seeing = [line.split("◉")[1].split()[0] for line in shown(app).splitlines() if "◉" in line]
        names = {name.rpartition("/")[2] for name in seeing}
        # the winner of the run, in its folder `model`, sees too
        assert names - {"model"} == {"base", "second", "sees"}
        await pilot.press("ctrl+n")
        await until(pilot, lambda: app.screen.query_one(GoalStep).query_one(PictureView).has_class("-shown"))
        found: list[str] = []
        while len(found) < 4:
            await until(pilot, partial(_shows_another, app, colours, found))
            found += named(app, colours)
            await until(pilot, partial(_has_colour, app, colours[found[-1]]))
            await pilot.press("right_square_bracket")
        await until(pilot, lambda: named(app, colours) == found[:1])


async def test_the_candidate_screen_shows_the_picture_beside_the_answers(
    seen_run: tuple[Path, dict[str, tuple[int, int, int]]],
) -> None:
    run, colours = seen_run
    files = {item: text.pictures[0].file for (_, item), text in read_asked_texts(run).items()}
    app = make_app(run.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        app.push_screen(CandidateScreen(run, 4, [4]))
        await until(pilot, lambda: table(app, "item-list").rows and _BLOCK in shown(app))
        for _ in range(2):
            row: Any = table(app, "item-list").row
            file = files[row.item]
            assert file is not None
            await until(pilot, lambda file=file: f"{file.name} " in shown(app) and corner(app) == colours[file.name])
            await pilot.press("down")


async def test_a_picture_that_is_gone_is_told_and_the_answers_stay(
    seen_run: tuple[Path, dict[str, tuple[int, int, int]]],
) -> None:
    run, _ = seen_run
    app = make_app(run.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        app.push_screen(CandidateScreen(run, 4, [4]))
        await until(pilot, lambda: table(app, "item-list").rows and _BLOCK in shown(app))
        for path in run.parent.glob("*.png"):
            path.rename(path.with_suffix(".away"))
        try:
            await pilot.press("down")
            await until(pilot, lambda: "no such picture" in app.last_message)
            assert _BLOCK not in shown(app)
            assert "Correct answer: " in shown(app)
        finally:
            for path in run.parent.glob("*.away"):
                path.rename(path.with_suffix(".png"))


async def test_without_colours_a_picture_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    Image.new("RGB", (500, 200), "red").save(tmp_path / "red.png")
    app = make_app(tmp_path)
    async with app.run_test(size=(80, 24)):
        view = PictureView()
        await app.screen.mount(view)
        view.show([thumbnail(read_picture(tmp_path / "red.png"), "red.png")] * 6)
        lines = str(view.visual).splitlines()
        assert lines == ["picture red.png 500 x 200"] * 4 + ["and 2 more"]


@pytest.mark.parametrize("size", [*SIZES, (3000, 10), (1, 9), (2000, 2000)])
def test_a_thumbnail_keeps_the_shape_through_json(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("RGB", size, (10, 200, 30)).save(tmp_path / "one.png")
    small = thumbnail(read_picture(tmp_path / "one.png"), "one.png")
    again = read_thumbnail(json.loads(json.dumps(dataclasses.asdict(small))))
    assert again == small
    width, height = again.image().size
    assert width <= 80
    assert height <= 48
    assert again.size == size
    assert again.image().getpixel((width - 1, height - 1)) == (10, 200, 30)
