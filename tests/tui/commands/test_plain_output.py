"""What reaches terminals that show little, and people who hear what others see."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from rich.cells import cell_len

from evomerge_tui.terminal.ascii_filter import to_ascii
from evomerge_tui.text.quantities import amount, duration, duration_range, percent
from support.command_line import command

RECORDED_RUN = Path(__file__).parents[1] / "data" / "quickstart"
Finished = tuple[Path, "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize("text", ["╭─ Fitness ─╮│┃", "⡀⠒⣿⠀", "答えは 4 です。", "●○◌‖■▲✓✗›…·", "👩‍🔬 größe", "plain"])
def test_ascii_takes_as_many_cells_as_what_it_stands_for(text: str) -> None:
    shown = to_ascii(text)
    assert shown.isascii()
    assert len(shown) == sum(cell_len(sign) for sign in text)


def test_plain_status_is_sentences(finished: Finished) -> None:
    said = command("status", finished[0], "--plain").stdout
    lines = said.splitlines()
    assert lines[0] == f"The run {finished[0]} is finished: 18 candidates searched."
    assert "The parent first has" in said
    assert all(line.endswith(".") for line in lines)
    assert "\x1b" not in said


def test_watching_a_finished_run_ends_with_how_it_stands(finished: Finished) -> None:
    done = command("status", finished[0], "--watch", "--plain")
    assert done.returncode == 0
    assert "is finished" in done.stdout


def test_watching_as_json_is_refused(finished: Finished) -> None:
    assert command("status", finished[0], "--watch", "--json").returncode == 2


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (duration(8.4), "8 s"),
        (duration(240), "4 min"),
        (duration(3 * 3600 + 300), "3 h 05"),
        (duration(3 * 86400), "3 days"),
        (duration_range(190, 310), "3 to 5 min"),
        (duration_range(50, 300), "50 s to 5 min"),
        (duration_range(300, 301), "5 min"),
        (amount(271_000_000), "271 MB"),
        (amount(2_140_000_000), "2.1 GB"),
        (percent(0.5625), "56.2 %"),
        (percent(None), ""),
    ],
)
def test_quantities_read_as_people_write_them(found: str, expected: str) -> None:
    assert found == expected


def test_the_highest_of_many_scores_is_told_with_what_other_items_say(tmp_path: Path) -> None:
    """A real run: 80 candidates on 11 items each, of whom 28 of 48 validation items tell how good the best one is."""
    run = Path(shutil.copytree(RECORDED_RUN, tmp_path / "run"))
    said = command("status", run, "--plain").stdout
    assert "The best child, g4.5, has 54.5 % in the search, 58.3 % of 48 validation items." in said


def test_the_highest_of_many_scores_is_told_with_what_is_likely(tmp_path: Path) -> None:
    """Before validation: the highest of 80 on 11 items is likely nearer to the others than it scored."""
    run = Path(shutil.copytree(RECORDED_RUN, tmp_path / "run"))
    with closing(sqlite3.connect(run / "run.db")) as store, store:
        store.execute("DELETE FROM evaluations WHERE split != 'search'")
    found = json.loads(command("status", run, "--json").stdout)
    known = found["best_estimate"]
    assert (known["items"], known["split"]) == (11, "search")
    assert known["low"] < known["value"] < known["high"]
    assert known["value"] < found["best"]["score"]
    said = command("status", run, "--plain").stdout
    assert f"54.5 % of 11 items, likely {100 * known['value']:.0f} %." in said
