"""The result of a finished run: the winner, and what the held-out test said of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.files.bounded import read_bounded
from evomerge_core.run.run_folder.names import RESULT, WINNER

_REMEDY = "remove it, then resume the run"


@dataclass(frozen=True)
class Verdict:
    """The held-out test in one precision: the winner's score in 0..1 (None: it failed), whether it counts as `better` than the
    best of its references, and a sentence."""

    precision: str
    test: float | None
    better: bool
    verdict: str


@dataclass(frozen=True)
class Winner(Verdict):
    """The winner, with the verdict in the search's precision and in those that `confirmed` it. `conclusion` is the whole run in
    a sentence, None in results of earlier versions; `votes` what the votes came to, None without taste. `by_votes`: there were
    no test items, and `test` is the chance that its answers are preferred to average ones."""

    label: str
    confirmed: tuple[Verdict, ...]
    conclusion: str | None
    votes: str | None = None
    by_votes: bool = False


def read_result(folder: Path) -> dict[str, Any] | None:
    """A run's `winner/result.json`; None before there is one. Raises `InputError` where it can't be read."""
    path = folder / WINNER / RESULT
    try:
        result = json.loads(read_bounded(path, remedy=_REMEDY).decode())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        result = None
    if not isinstance(result, dict):
        raise InputError("isn't JSON any more", where=path, remedy=_REMEDY)
    return result


def winner_of(result: Mapping[str, Any]) -> Winner:
    """The winner that a result is about."""
    own = _verdict(result["precision"], result)
    confirmed = tuple(_verdict(precision, part) for precision, part in result["confirmed"].items())
    label, votes = result["winner"]["name"], (result.get("taste") or {}).get("sentence")
    return Winner(
        own.precision,
        own.test,
        own.better,
        own.verdict,
        label,
        confirmed,
        result.get("conclusion"),
        votes,
        votes is not None and not result["items"],
    )


def references_of(part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The test results of what the winner is compared with in one precision; an equal-weight merge that won isn't there."""
    rows = (*part["parents"], *part["uniform"], *part.get("stages", ()))
    return [row for row in rows if row["name"] != part["winner"]["name"]]


def _verdict(precision: str, part: Mapping[str, Any]) -> Verdict:
    return Verdict(precision, part["winner"]["test"], bool(part["better"]), part["verdict"])
