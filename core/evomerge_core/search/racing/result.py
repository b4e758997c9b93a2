"""How far a candidate came in a race, and the fitness that this is worth to an optimiser that looks at ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# A candidate's own fitness lies in (-1, 1]; so many rungs apart it can't change places.
_STEP = 4.0


@dataclass(frozen=True)
class RaceResult:
    """`fitness` on the items of the last rung that it ran (None: it failed); `rung` is that rung's number from 0, -1 for a
    candidate that did not pass the gate.

    `dropped`: the race continued without it. `incoherent`: the coherence guard marked it.
    """

    fitness: float | None
    rung: int
    dropped: bool = False
    incoherent: bool = False


def ranking_numbers(results: Sequence[RaceResult]) -> list[float | None]:
    """Numbers for the optimiser that rank sound survivors first, then those dropped late, those dropped early, the incoherent
    ones, and last the failed ones (None)."""
    most = max((result.rung for result in results), default=0)
    return [_worth(result, most) for result in results]


def _worth(result: RaceResult, most: int) -> float | None:
    if result.fitness is None:
        return None
    if result.incoherent:
        return result.fitness - _STEP * (most + 3)
    return result.fitness - _STEP * (most + 1 - result.rung if result.dropped else 0)
