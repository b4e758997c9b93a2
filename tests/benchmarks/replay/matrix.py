"""What many merges of a cross answered, item by item, and the file that keeps it: a head, then a line for each merge."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Head:
    """The cross, and the box of its genomes: `low`, `high` and `start` [numbers], `parents` and `uniform` [merges, numbers]
    are the references of a run. `scored_on` is the arithmetic of the scores."""

    cross: str
    precision: str
    scored_on: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    start: tuple[float, ...]
    parents: tuple[tuple[float, ...], ...]
    uniform: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Row:
    """One merge: its genome, and for each item the score (0..1) and the correct answer's loss (nats per token)."""

    genome: tuple[float, ...]
    right: tuple[float, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True)
class Matrix:
    """A file's content: `genomes` [merges, numbers], `right` and `losses` [merges, items]."""

    head: Head
    genomes: Numbers
    right: Numbers
    losses: Numbers


def read_matrix(file: Path) -> Matrix:
    """The file as arrays."""
    rows = read_rows(file)
    head = {name: _frozen(value) for name, value in json.loads(_lines(file)[0]).items()}
    return Matrix(
        Head(**head),
        np.array([row.genome for row in rows]),
        np.array([row.right for row in rows]),
        np.array([row.losses for row in rows]),
    )


def read_rows(file: Path) -> list[Row]:
    """The merges that the file has; none where it isn't there yet."""
    lines = _lines(file)[1:] if file.exists() else []
    return [Row(**{name: tuple(value) for name, value in json.loads(line).items()}) for line in lines]


def write_head(file: Path, head: Head) -> None:
    """Begins a file."""
    file.write_text(json.dumps(vars(head)) + "\n", encoding="utf-8")


def add_row(file: Path, row: Row) -> None:
    """Adds a merge; losses keep three decimals, genomes all they have."""
    kept = {
        "genome": list(row.genome),
        "right": [round(value, 4) if value % 1 else int(value) for value in row.right],
        "losses": [round(loss, 3) for loss in row.losses],
    }
    with file.open("a", encoding="utf-8") as opened:
        opened.write(json.dumps(kept, separators=(",", ":")) + "\n")


def _lines(file: Path) -> Sequence[str]:
    return file.read_text(encoding="utf-8").splitlines()


def _frozen(value: Any) -> Any:
    return tuple(_frozen(one) for one in value) if isinstance(value, list) else value
