"""Candidate: items won and lost with both answers, and the recipe that rebuilds it."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from evomerge_core.run.verdict.candidate_scores import Difference
from evomerge_tui.screens.candidate.candidate import CandidateScreen
from support.screen_tools import click_text, make_app, shown, table, until

pytestmark = pytest.mark.anyio
Finished = tuple[Path, "subprocess.CompletedProcess[str]"]


def winner(run: Path) -> int:
    return int(sqlite3.connect(run / "run.db").execute("SELECT value FROM facts WHERE key = 'winner'").fetchone()[0])


def answers(run: Path, candidate: int, precision: str) -> dict[str, tuple[float, str]]:
    rows = sqlite3.connect(run / "run.db").execute(
        "SELECT item, value, answer FROM item_scores WHERE candidate = ? AND split = 'test' AND precision = ?",
        (candidate, precision),
    )
    return {item: (value, answer) for item, value, answer in rows}


async def open_winner(app: Any, run: Path) -> None:
    app.push_screen(CandidateScreen(run, winner(run), [winner(run)]))


async def test_items_stand_beside_the_parents_answers(finished: Finished) -> None:
    run = finished[0]
    app = make_app(run.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_winner(app, run)
        await until(pilot, lambda: len(table(app, "item-list").rows) == 20)
        mine, theirs = answers(run, winner(run), "nf4"), answers(run, 1, "nf4")
        for row in table(app, "item-list").rows:
            assert isinstance(row, Difference)
            assert row.theirs is not None
            assert (row.ours.value, row.ours.answer) == mine[row.item]
            assert (row.theirs.value, row.theirs.answer) == theirs[row.item]
            expected = "even" if mine[row.item][0] == theirs[row.item][0] else "won" if mine[row.item][0] else "lost"
            assert row.outcome == expected
        await until(pilot, lambda: "Correct answer: " in shown(app))
        question = next(line for line in shown(app).splitlines() if "›" in line and line.count("w") and "tied" in line)
        assert question


async def test_keys_change_what_is_compared(finished: Finished) -> None:
    app = make_app(finished[0].parent)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_winner(app, finished[0])
        await until(pilot, lambda: "against first" in shown(app))
        await pilot.press("a")
        await until(pilot, lambda: "against second" in shown(app))
        place = "test nf4" if "test nf4 against" in shown(app) else "test bf16"
        await pilot.press("t")
        await until(pilot, lambda: f"{place} against" not in shown(app))
        await pilot.press("w")
        await until(pilot, lambda: "only items won" in shown(app))
        await pilot.press("2")
        await until(pilot, lambda: "weight" in shown(app) and "layer 0" in shown(app))


async def test_the_mouse_reaches_every_tab(finished: Finished) -> None:
    app = make_app(finished[0].parent)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_winner(app, finished[0])
        await click_text(pilot, "2 Genome")
        await until(pilot, lambda: "layer 0" in shown(app))
        await click_text(pilot, "3 Recipe")
        await until(pilot, lambda: "merge_method: task_arithmetic" in shown(app))
        await click_text(pilot, "esc Back")
        await until(pilot, lambda: "Ready recipes" in shown(app))


async def test_the_copied_recipe_is_the_winners_own_file(finished: Finished) -> None:
    run = finished[0]
    app = make_app(run.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_winner(app, run)
        await pilot.press("3")
        await until(pilot, lambda: "merge_method: task_arithmetic" in shown(app))
        await pilot.press("y")
        await until(pilot, lambda: app.clipboard)
        assert yaml.safe_load(app.clipboard) == yaml.safe_load((run / "winner" / "mergekit_config.yml").read_text())


def test_the_command_tells_the_same(finished: Finished) -> None:
    import json

    from support.command_line import command

    done = command("candidate", finished[0], "--json")
    told = json.loads(done.stdout.splitlines()[-1])
    result = json.loads((finished[0] / "winner" / "result.json").read_text())
    assert told["candidate"] == result["winner"]["name"]
    assert {number["parameter"] + number["source"] + number["group"]: number["value"] for number in told["genome"]} == {
        name.replace("·", ""): value for name, value in result["winner"]["genome"].items()
    }
    on_test = {
        compared["against"]: compared
        for compared in told["against"]
        if (compared["split"], compared["precision"]) == ("test", "nf4")
    }
    for comparison in result["against"]:
        mine = on_test[comparison["against"]]
        assert (mine["wins"], mine["losses"], mine["p"]) == (comparison["wins"], comparison["losses"], comparison["p"])
