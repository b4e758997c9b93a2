"""The plot's points lie where the axis says, read from the cells that are drawn, and each kind of line is in the legend."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from evomerge_core.run.store.facts import RunFacts, facts_of
from evomerge_core.run.store.records import Outcome
from evomerge_tui.app import EvomergeApp
from evomerge_tui.screens.dashboard.fitness_plot import FitnessPlot
from evomerge_tui.screens.dashboard.history import History
from evomerge_tui.screens.dashboard.run_standing import legend
from support.screen_tools import make_app, shown, until

pytestmark = pytest.mark.anyio
Finished = tuple[Path, "subprocess.CompletedProcess[str]"]


def outcome(number: int, score: float, kind: str = "search", split: str = "search", items: int = 11) -> Outcome:
    return Outcome(
        number, number, kind, f"{kind} {number}", number // 4, split, "nf4", score, None, None, 1.0, 0.0, None, items
    )


def cells(app: EvomergeApp) -> list[str]:
    """The plot's lines as they are drawn."""
    region = app.screen.query_one(FitnessPlot).region
    return [line.ljust(region.right)[region.x : region.right] for line in shown(app).split("\n")[region.y : region.bottom]]


def values(lines: list[str]) -> list[float]:
    """What each line stands for: between two labels as far up as it lies."""
    found = [(row, float(text)) for row, line in enumerate(lines) if (text := line[:4].strip()).isdecimal()]
    (first, high), (last, low) = found[0], found[-1]
    assert first < last
    return [high + (row - first) * (low - high) / (last - first) for row in range(len(lines))]


@pytest.mark.parametrize("size", [(160, 50), (100, 34), (80, 24)])
@pytest.mark.parametrize("scores", [(0.545, 0.333, 0.4), (0.0, 0.545, 1.0), (0.0, 0.03, 0.0), (0.87, 0.91, 0.889)])
async def test_a_point_lies_in_the_line_that_stands_for_its_score(
    scores: tuple[float, ...], size: tuple[int, int], finished: Finished
) -> None:
    history = History()
    history.add([outcome(number, score) for number, score in enumerate(scores, start=1)], RunFacts())
    history.bests.clear()
    app = make_app(finished[0].parent)
    async with app.run_test(size=size) as pilot:
        app.open_run(finished[0])
        await until(pilot, lambda: "the child" in shown(app))
        await pilot.press("1")
        app.screen.query_one(FitnessPlot).show(history, 9)
        await until(pilot, lambda: sum(line.count("•") for line in cells(app)) == len(scores))
        lines = cells(app)
        stand_for, half = values(lines), abs(values(lines)[0] - values(lines)[1]) / 2
        drawn = sorted((line.index("•"), stand_for[row]) for row, line in enumerate(lines) for _ in range(line.count("•")))
        columns = [column for column, _ in drawn]
        if len({*columns}) == len(columns):
            for (_, value), score in zip(drawn, scores, strict=True):
                assert value == pytest.approx(100 * score, abs=half + 0.01)
        # none lies on the frame
        assert all("•" not in line for line in (lines[0], lines[-2], lines[-1]))


async def test_a_reference_at_nought_is_drawn_in_the_line_of_nought(finished: Finished) -> None:
    history = History()
    history.add([outcome(1, 0.0, "parent"), outcome(2, 0.5), outcome(3, 0.4)], RunFacts())
    history.bests.clear()
    app = make_app(finished[0].parent)
    async with app.run_test(size=(160, 50)) as pilot:
        app.open_run(finished[0])
        await until(pilot, lambda: "the child" in shown(app))
        app.screen.query_one(FitnessPlot).show(history, 9)
        await until(pilot, lambda: sum(line.count("•") for line in cells(app)) == 2)
        dotted = [row for row, line in enumerate(cells(app)) if sum("\u2800" < sign <= "\u28ff" for sign in line) > 20]
        assert [values(cells(app))[row] for row in dotted] == [0.0]


def test_every_kind_that_is_drawn_is_in_the_legend() -> None:
    history = History()
    kinds = ("parent", "uniform", "mean", "founder")
    history.add([outcome(number, 0.5, kind) for number, kind in enumerate(kinds)], RunFacts())
    text = legend(history).plain
    for word in ("best", "child", "generation", "parents", "uniform", "averages", "founders"):
        assert word in text
    assert "winner" not in text
    history.add([outcome(9, 0.5)], RunFacts())
    history.winner = 9
    assert "◆ winner" in legend(history).plain


def test_the_line_of_the_best_follows_what_is_known_and_not_luck() -> None:
    """Fifty children of about 30 %, one of which had 9 of 11: it is no child of 82 %."""
    history = History()
    lucky = [outcome(number, 9 / 11 if number == 30 else (3 + number % 2) / 11) for number in range(1, 51)]
    history.add(lucky, RunFacts())
    number, best = history.bests[-1]
    estimate = history.of_search(best)
    assert number == 30
    assert best.score == 9 / 11
    assert estimate is not None
    assert estimate.value < 0.55
    assert estimate.low < 0.4


def test_what_is_known_of_a_candidate_is_of_the_items_that_say_most() -> None:
    facts = facts_of({"precision": "nf4", "items": {"search": 11, "validation": 64, "test": 200}})
    history = History()
    history.add([outcome(number, 0.4) for number in range(1, 9)], facts)
    history.add([outcome(3, 0.36, split="validation", items=64)], facts)
    first = history.estimate(history.search[2])
    history.add([outcome(3, 0.35, split="test", items=200)], facts)
    second = history.estimate(history.search[2])
    assert first is not None
    assert second is not None
    assert (first.split, first.items, first.value) == ("validation", 64, 0.36)
    assert (second.split, second.items, second.value) == ("test", 200, 0.35)
