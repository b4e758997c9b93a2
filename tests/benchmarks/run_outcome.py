"""What a finished run came to, in the figures that benchmarks compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evomerge_core.run.report.content import read_report


@dataclass(frozen=True)
class Outcome:
    """A run's winner against its references. Scores are 0..1 and, but for `validation` and `shipped`, on the test in the
    search's precision; `shipped` is the winner's in bf16. `tokens` are those that the search's candidates wrote; `beats_merge`
    is the exact p of the winner against the best equal-weight merge where it is ahead, None where it isn't. `seconds` are the
    run's active time."""

    test: float
    low: float
    high: float
    validation: float | None
    shipped: float | None
    parent: float
    merge: float
    beats_merge: float | None
    declared: bool
    tokens: int
    seconds: float


def read_outcome(folder: Path) -> Outcome:
    """The outcome of a run that has a verdict."""
    report = read_report(folder)
    assert report.result is not None
    result = report.result
    winner, merge = result["winner"], max(result["uniform"], key=lambda one: one["test"] or 0.0)
    low, high = winner["interval"]
    return Outcome(
        test=winner["test"],
        low=low,
        high=high,
        validation=winner.get("validation"),
        shipped=_in_bf16(result)["winner"]["test"] if _in_bf16(result) else None,
        parent=max(one["test"] or 0.0 for one in result["parents"]),
        merge=merge["test"] or 0.0,
        beats_merge=_p_ahead(result, merge["name"]),
        declared=result["declared"],
        tokens=next(part.tokens for part in report.spent if part.part == "search"),
        seconds=report.seconds,
    )


def _in_bf16(result: Mapping[str, Any]) -> Mapping[str, Any] | None:
    part: Mapping[str, Any] | None = result if result["precision"] == "bf16" else result["confirmed"].get("bf16")
    return part


def _p_ahead(result: Mapping[str, Any], name: str) -> float | None:
    """None too where the winner is that merge itself: it isn't compared with itself."""
    against = next((one for one in result["against"] if one["against"] == name), None)
    return None if against is None or against["wins"] <= against["losses"] else float(against["p"])
