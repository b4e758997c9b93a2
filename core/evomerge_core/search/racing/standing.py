"""How far a candidate came in a race, and the fitness that this is worth to an optimiser that looks at ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# A candidate's own fitness lies in (-1, 1]; so many rungs apart it can't change places.
_STEP = 4.0


@dataclass(frozen=True)
class Standing:
    """`fitness` on the items of the last rung that it ran (None: it failed); `rung` is that rung's number from 0, -1 for one
    that did not pass the gate.

    `dropped`: the race went on without it. `incoherent`: the coherence guard marked it.
    """

    fitness: float | None
    rung: int
    dropped: bool = False
    incoherent: bool = False


def told(standings: Sequence[Standing]) -> list[float | None]:
    """What the optimiser is told: numbers that rank sound survivors first, then those dropped late, those dropped early, the
    incoherent ones, and last the failed ones (None)."""
    most = max((one.rung for one in standings), default=0)
    return [_worth(one, most) for one in standings]


def _worth(standing: Standing, most: int) -> float | None:
    if standing.fitness is None:
        return None
    if standing.incoherent:
        return standing.fitness - _STEP * (most + 3)
    return standing.fitness - _STEP * (most + 1 - standing.rung if standing.dropped else 0)
