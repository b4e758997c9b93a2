"""Runs side by side: what differs is found, and the winners are compared on the items that both were asked, and no others."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from scipy.stats import binomtest

from evomerge_core.errors import InputError
from evomerge_core.run.comparison import compare_runs

QUICKSTART = Path(__file__).parents[2] / "tui" / "data" / "quickstart"


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """The same finished run twice."""
    for name in ("one", "two"):
        shutil.copytree(QUICKSTART, tmp_path / name)
    return tmp_path / "one", tmp_path / "two"


def change(run: Path, query: str, *values: object) -> int:
    connection = sqlite3.connect(run / "run.db")
    with connection:
        count = connection.execute(query, values).rowcount
    connection.close()
    return count


OF_WINNER = "split = 'test' AND precision = 'nf4' AND candidate = (SELECT id FROM candidates WHERE label = 'mean 5')"


def test_equal_runs_differ_in_nothing(runs: tuple[Path, Path]) -> None:
    found = compare_runs(runs)
    assert found.settings == ()
    assert [(one.items, one.wins, one.losses, one.p) for one in found.winners if one.precision == "nf4"] == [(200, 0, 0, 1.0)]
    result = json.loads((QUICKSTART / "winner" / "result.json").read_text())
    for run in found.runs:
        assert (run.test, run.items, run.evaluations) == (result["winner"]["test"], 200, 80)
        numbers = [number for number, _ in run.curve]
        assert numbers == sorted(set(numbers))


def test_winners_are_compared_on_the_items_of_both_tests_alone(runs: tuple[Path, Path]) -> None:
    one, two = runs
    won = change(two, f"UPDATE item_scores SET value = 0 WHERE {OF_WINNER} AND value = 1 AND item < '4'")
    lost = change(two, f"UPDATE item_scores SET value = 1 WHERE {OF_WINNER} AND value = 0 AND item >= 'c'")
    gone = change(two, f"UPDATE item_scores SET item = 'other' || item WHERE {OF_WINNER} AND item BETWEEN '5' AND '8'")
    assert min(won, lost, gone) > 5
    (test,) = [found for found in compare_runs([one, two]).winners if found.precision == "nf4"]
    assert (test.items, test.wins, test.losses) == (200 - gone, won, lost)
    assert test.p == pytest.approx(binomtest(won, won + lost).pvalue)
    (turned,) = [found for found in compare_runs([two, one]).winners if found.precision == "nf4"]
    assert (turned.wins, turned.losses, turned.p) == (lost, won, test.p)


def test_answers_that_are_scored_in_other_ways_are_not_compared(runs: tuple[Path, Path]) -> None:
    recipe = runs[1] / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("language: ja", "language: en").replace("seed: 0\nallow", "seed: 5\nallow"))
    found = compare_runs(runs)
    assert found.winners == ()
    assert found.unpaired == ((0, 1),)
    told = {setting.key: setting.values for setting in found.settings}
    assert told == {"tasks.arithmetic-in-japanese.language": ("ja", "en"), "seed": ("0", "5")}


def test_what_cannot_be_compared_is_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least two"):
        compare_runs(runs[:1])
    with pytest.raises(InputError, match="is named twice"):
        compare_runs([runs[0], tmp_path / "two" / ".." / "one"])
    (tmp_path / "link").symlink_to(runs[0])
    with pytest.raises(InputError, match="is named twice"):
        compare_runs([runs[0], tmp_path / "link"])
    with pytest.raises(InputError, match="is not a run folder"):
        compare_runs([runs[0], tmp_path])
