"""Compare runs, what mattered, publishing and the palette's runs and recipes, with keys only."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.command import Command, CommandList
from textual.pilot import Pilot

from evomerge_core.run.comparison import compare_runs
from evomerge_core.run.report.content import read_report
from evomerge_tui.app import EvomergeApp
from evomerge_tui.cli.main import main
from evomerge_tui.screens.comparison.comparison import Compared, ComparisonScreen
from evomerge_tui.screens.dashboard.dashboard import DashboardScreen
from evomerge_tui.screens.home import HomeScreen
from evomerge_tui.screens.mattered.mattered import MatteredScreen
from evomerge_tui.screens.publishing.publishing import PublishingScreen
from evomerge_tui.text.comparison_words import bars
from support.screen_tools import make_app, shown, table, until

pytestmark = pytest.mark.anyio
QUICKSTART = Path(__file__).parents[1] / "data" / "quickstart"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the same finished run twice, of which the second has another seed."""
    for name in ("first", "second"):
        shutil.copytree(QUICKSTART, tmp_path / name)
    recipe = tmp_path / "second" / "recipe.yaml"
    text = recipe.read_text().replace("name: quickstart", "name: another").replace("seed: 0\nallow", "seed: 7\nallow")
    recipe.write_text(text)
    return tmp_path


async def test_runs_are_compared_from_home(place: Path) -> None:
    app = make_app(place)
    async with app.run_test(size=(110, 36)) as pilot:
        await until(pilot, lambda: len(table(app, "run-list").rows) == 2)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ComparisonScreen) and len(table(app, "run-list").rows) == 2)
        assert "choose two runs or more" in shown(app)
        other = next(row for row in table(app, "run-list").rows if "○" in _mark(app, row))
        while table(app, "run-list").row != other:
            await pilot.press("down")
        await pilot.press("enter")
        await until(pilot, lambda: "2 runs" in shown(app))
        await pilot.press("2")
        await until(pilot, lambda: "On 200 items that both tests asked, in nf4: no difference" in " ".join(shown(app).split()))
        assert shown(app).count("winner mean 5: 55.5 % of 200 items, 48.6 to 62.2 %") == 2
        await pilot.press("3")
        await until(pilot, lambda: "─1─ quickstart" in shown(app) and "─2─ another" in shown(app))
        await pilot.press("4")
        await until(pilot, lambda: "seed" in shown(app))
        assert "2 7" in shown(app)
        await pilot.press("1", "enter")
        await until(pilot, lambda: "choose two runs or more" in shown(app))


async def by_palette(app: EvomergeApp, pilot: Pilot[int], words: str, title: str) -> None:
    """Carries out what the palette finds first for the words; before it has searched, enter takes something else."""

    def first() -> str | None:
        commands = app.screen.query_one(CommandList)
        chosen = None if commands.highlighted is None else commands.get_option_at_index(commands.highlighted)
        return chosen.hit.text if isinstance(chosen, Command) else None

    await pilot.press("ctrl+p", *words)
    await until(pilot, lambda: first() == title)
    await pilot.press("enter")


def _mark(app: object, row: object) -> str:
    columns = app.screen._columns()  # type: ignore[attr-defined]
    return str(columns[0].cell(row)[0])


async def test_what_mattered_is_the_reports(place: Path) -> None:
    mattered = read_report(place / "first").mattered
    assert mattered is not None
    app = make_app(place)
    async with app.run_test(size=(120, 36)) as pilot:
        app.push_screen(DashboardScreen(place / "first"))
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen) and "Winner" in shown(app))
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, MatteredScreen) and len(table(app, "number-list").rows) == 8)
        for one in mattered.numbers:
            (line,) = [line for line in shown(app).splitlines() if one.name in line]
            assert f"{one.correlation:+.2f}" in line
        await pilot.press("2")
        await until(pilot, lambda: f"1 {read_report(place / 'first').dimensions[0][0]}" in " ".join(shown(app).split()))


async def test_a_comparison_that_ends_late_is_not_taken_for_that_of_what_is_chosen_now(place: Path) -> None:
    both, one = (place / "first", place / "second"), (place / "first",)
    app = make_app(place)
    async with app.run_test(size=(110, 36)) as pilot:
        app.push_screen(ComparisonScreen(one))
        await until(pilot, lambda: "choose two runs or more" in shown(app))
        screen = app.screen
        assert isinstance(screen, ComparisonScreen)
        screen._show(Compared(both, compare_runs(both)))
        screen._show(Compared(both, None, "can't be read"))
        await pilot.pause()
        assert "choose two runs or more" in shown(app)
        assert app.last_message != "can't be read"


@pytest.mark.parametrize("width", [40, 56, 76, 116])
def test_lines_of_a_comparison_fit_whatever_runs_are_called(place: Path, width: int) -> None:
    recipe = place / "second" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("name: another", f"name: {'算' * 30}"), encoding="utf-8")
    title, *lines = bars(compare_runs((place / "first", place / "second")), width)
    assert [cell_len(line) for line in lines] == [cell_len(title)] * 2
    assert cell_len(title) <= width
    assert title.split()[-1] == "80"
    assert [line.split()[-2:] for line in lines] == [["34.0", "%"]] * 2


async def test_what_the_numbers_mean_is_read_to_its_end_in_a_small_terminal(place: Path) -> None:
    app = make_app(place)
    async with app.run_test(size=(60, 20)) as pilot:
        app.push_screen(MatteredScreen(place / "first"))
        await until(pilot, lambda: "what was tried shows little." in " ".join(shown(app).split()))


def test_the_command_says_each_verdict(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(place / "first"), str(place / "second")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for name in ("1 quickstart", "2 another"):
        assert f"{name}: the child beats the best parent, arithmetic (111 items won, 0 lost, p = 7.7e-34)." in said


async def test_nothing_is_read_for_ever_where_no_numbers_can_be_shown(place: Path) -> None:
    app = make_app(place)
    async with app.run_test(size=(110, 36)) as pilot:
        app.push_screen(MatteredScreen(place / "none"))
        await until(pilot, lambda: "Nothing to show" in shown(app) and "run.db is missing" in app.last_message)
        assert "Reading" not in shown(app)


async def test_the_palette_knows_runs_recipes_and_what_to_do_with_a_run(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(place)
    copied: list[str] = []
    monkeypatch.setattr(app, "copy_text", lambda text, _: copied.append(text))
    async with app.run_test(size=(110, 36)) as pilot:
        await until(pilot, lambda: len(table(app, "run-list").rows) == 2)
        await by_palette(app, pilot, "open run another", "Open run another")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen))
        await by_palette(app, pilot, "copy recipe", "Copy recipe")
        await until(pilot, lambda: copied == [(place / "second" / "recipe.yaml").read_text()])
        await by_palette(app, pilot, "write the report", "Report")
        await until(pilot, lambda: (place / "second" / "report" / "report.md").is_file())
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        await pilot.press("ctrl+p", *"new run from quickstart-vlm")
        await until(pilot, lambda: "New run from quickstart-vlm" in shown(app))


async def test_a_winner_that_is_not_whole_says_why_it_cannot_be_published(place: Path) -> None:
    app = make_app(place)
    async with app.run_test(size=(110, 36)) as pilot:
        app.push_screen(DashboardScreen(place / "first"))
        await until(pilot, lambda: "Winner" in shown(app))
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, PublishingScreen) and "the winner isn't whole" in shown(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Name the repository first" in app.last_message)
