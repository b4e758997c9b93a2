"""A search of ten thousand candidates opens, sorts and filters, and shows only what there is."""

from __future__ import annotations

import random
import sqlite3
import time
from pathlib import Path

import pytest

from evomerge_core.run.store.folder import create_folder, open_store
from evomerge_core.run.store.records import Outcome
from support.screen_tools import make_app, shown, table, until

COUNT = 10_000


def fill(folder: Path, count: int) -> list[float]:
    """A run of so many candidates, written in one go; their scores."""
    create_folder(folder, "evomerge: 1\nname: large\n", {})
    store = open_store(folder)
    store.set_facts(
        state="stopped", precision="nf4", evaluations_total=count, phase="search", generation=count // 10, sigma=0.1
    )
    store.close()
    draw = random.Random(0)
    scores = [draw.random() for _ in range(count)]
    with sqlite3.connect(folder / "run.db") as connection:
        connection.executemany(
            "INSERT INTO candidates (id, kind, label, generation, position, genome)"
            " VALUES (?, 'search', ?, ?, ?, '[0.5, 1.0]')",
            [(i + 1, f"g{i // 10 + 1}.{i % 10 + 1}", i // 10, i % 10) for i in range(count)],
        )
        connection.executemany(
            "INSERT INTO evaluations VALUES (?, 'search', 'nf4', ?, 0.5, NULL, 1.0, 10, ?)",
            [(i + 1, score, time.time()) for i, score in enumerate(scores)],
        )
    return scores


@pytest.mark.anyio
async def test_ten_thousand_candidates_open(tmp_path: Path) -> None:
    scores = fill(tmp_path / "large", COUNT)
    app = make_app(tmp_path)
    async with app.run_test(size=(160, 50)) as pilot:
        app.open_run(tmp_path / "large")
        await until(pilot, lambda: len(table(app, "candidate-list").rows) == COUNT)
        first = table(app, "candidate-list").rows[0]
        assert isinstance(first, Outcome)
        assert first.score == max(scores)
        await pilot.press("end")
        await until(pilot, lambda: f"{100 * min(scores):.1f} %" in shown(app))
        await pilot.press("slash", *"g777.")
        await until(pilot, lambda: len(table(app, "candidate-list").rows) == 10)
