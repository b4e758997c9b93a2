"""A run of thousands of candidates, as a folder."""

from __future__ import annotations

import random
import sqlite3
import time
from pathlib import Path

from evomerge_core.run.run_folder.folder import create_folder, open_store


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
