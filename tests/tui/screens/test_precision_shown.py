"""What the search's precision became, and how it ranks merges, on every screen and in every report."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from textual.widgets import Checkbox, Select

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.agreement import Agreement
from evomerge_core.run.report.content import read_report
from evomerge_core.run.report.markdown import to_markdown
from evomerge_core.run.run_folder.folder import create_folder, open_store
from evomerge_core.run.store.facts import facts_of
from evomerge_core.run.view.feed import Event
from evomerge_tui.cli.main import main
from evomerge_tui.screens.dashboard.event_lines import event_line
from evomerge_tui.screens.dashboard.history import History
from evomerge_tui.screens.dashboard.run_standing import summary
from evomerge_tui.screens.new_run.screen import NewRunScreen
from evomerge_tui.screens.new_run.search.search_step import SearchStep
from support.screen_tools import make_app, until
from support.tiny_run import write_recipe

CHOICE = "int8: bf16 needs 14.9 GB, 7.6 GB are free"
AGREEMENT = Agreement("int8", 9, 24, 0.93, 0.81, 0.99)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that has compared its precision and not begun its search."""
    folder = tmp_path / "run"
    create_folder(folder, "name: tiny\n", {})
    store = open_store(folder)
    store.set_facts(state="stopped", precision="int8", precision_choice=CHOICE, agreement=asdict(AGREEMENT))
    store.close()
    return folder


def test_status_tells_both(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(run), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["precision_choice"], said["agreement"]) == (CHOICE, AGREEMENT.sentence)
    assert main(["status", str(run), "--plain"]) == 0
    plain = capsys.readouterr().out
    assert f"Precision {CHOICE}." in plain
    assert "Int8 agrees with bf16 on 0.93 of the ranking over 9 merges" in plain


def test_a_run_that_ended_for_it_says_so_once(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = Agreement("int8", 9, 24, 0.1, -0.2, 0.3)
    store = open_store(run)
    store.set_facts(state="failed", message=f"evaluation.precision: int8: {noise.sentence}", agreement=asdict(noise))
    store.close()
    assert main(["status", str(run), "--plain"]) == 0
    assert capsys.readouterr().out.count("would chase noise") == 1


def test_a_report_tells_both(run: Path) -> None:
    text = to_markdown(read_report(run), {})
    assert f"Precision: {CHOICE}." in text
    assert f"Precision: {AGREEMENT.sentence}." in text


def test_the_dashboard_tells_both_in_its_summary_and_its_log() -> None:
    text = summary(History(), None, facts_of({"precision_choice": CHOICE, "agreement": asdict(AGREEMENT)}), None).plain
    assert CHOICE in text
    assert AGREEMENT.sentence in text
    assert event_line(Event(1, 0.0, "precision", {"text": CHOICE}), {}).endswith(f"Precision {CHOICE}")
    assert event_line(Event(1, 0.0, "agreement", {"text": AGREEMENT.sentence}), {}).endswith(AGREEMENT.sentence)


def test_runs_of_earlier_versions_have_nothing_to_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create_folder(tmp_path / "run", "name: tiny\n", {})
    assert main(["status", str(tmp_path / "run"), "--plain"]) == 0
    assert "Precision" not in capsys.readouterr().out
    assert "Precision:" not in to_markdown(read_report(tmp_path / "run"), {})


@pytest.mark.anyio
async def test_the_form_begins_with_auto_and_keeps_what_goes_with_it(tmp_path: Path) -> None:
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_new_run(None)
        await until(pilot, lambda: len(app.screen.query("#precision")) == 1)
        screen = app.screen
        assert isinstance(screen, NewRunScreen)
        select = screen.query_one(SearchStep).query_one("#precision", Select)
        await until(pilot, lambda: select.value == "auto")
        screen._take(screen.draft.put({"confirm": ["bf16"], "agreement": False}, "evaluation"))
        await until(pilot, lambda: screen.query_one("#confirm", Checkbox).value)
        assert select.value == "auto"
        for precision, left in [("int8", {"confirm": ["bf16"], "agreement": False}), ("bf16", {})]:
            select.value = precision
            await until(pilot, lambda wanted=precision: screen.draft.get("evaluation", "precision") == wanted)
            assert screen.draft.get("evaluation") == {"precision": precision, **left}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "value", "place", "kept"),
    [
        ("precision", "int8", ("evaluation", "precision"), "int8"),
        ("device", "cpu", ("evaluation", "device"), "cpu"),
        ("confirm", True, ("evaluation", "confirm"), ["bf16"]),
    ],
)
async def test_a_choice_is_kept_when_the_form_shows_the_draft_again_before_it_hears_of_it(
    tmp_path: Path, name: str, value: object, place: tuple[str, ...], kept: object
) -> None:
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_new_run(None)
        await until(pilot, lambda: len(app.screen.query("#precision")) == 1)
        screen = app.screen
        assert isinstance(screen, NewRunScreen)
        step = screen.query_one(SearchStep)
        control = step.query_one(f"#{name}", Checkbox if name == "confirm" else Select)
        await until(pilot, lambda: step.query_one("#precision", Select).value == "auto")
        control.value = value
        step.refresh_draft()
        await until(pilot, lambda: screen.draft.get(*place) == kept, 10.0)
        await until(pilot, lambda: control.value == value, 10.0)


def test_preflight_tells_the_precision(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_recipe(tmp_path, evaluation={"device": "cpu"})
    assert load_recipe(path).evaluation.precision == "auto"
    assert "precision" not in yaml.safe_load(path.read_text())["evaluation"]
    assert main(["preflight", str(path), "--out", str(tmp_path / "run"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    (line,) = [check for check in said["checks"] if check["subject"] == "Precision"]
    assert (line["state"], line["text"]) == ("ok", "bf16: it fits, and is what ships")
    assert said["estimate"]["precision"]["precision"] == "bf16"
