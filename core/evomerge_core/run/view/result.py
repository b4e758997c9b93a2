"""The result of a finished run: the winner, and what the held-out test said of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evomerge_core.run.store.folder import RESULT, WINNER


@dataclass(frozen=True)
class Verdict:
    """The held-out test in one precision: the winner's score in 0..1 (None: it failed), whether it counts as `better` than the
    best parent, and a sentence."""

    precision: str
    test: float | None
    better: bool
    verdict: str


@dataclass(frozen=True)
class Winner(Verdict):
    """The winner, with the verdict in the search's precision and in those that `confirmed` it."""

    label: str
    confirmed: tuple[Verdict, ...]


def read_result(folder: Path) -> dict[str, Any] | None:
    """A run's `winner/result.json`; None before there is one."""
    try:
        result: dict[str, Any] = json.loads((folder / WINNER / RESULT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return result


def winner_of(result: Mapping[str, Any]) -> Winner:
    """The winner that a result is about."""
    own = _verdict(result["precision"], result)
    confirmed = tuple(_verdict(precision, part) for precision, part in result["confirmed"].items())
    return Winner(own.precision, own.test, own.better, own.verdict, result["winner"]["name"], confirmed)


def _verdict(precision: str, part: Mapping[str, Any]) -> Verdict:
    return Verdict(precision, part["winner"]["test"], bool(part["better"]), part["verdict"])
