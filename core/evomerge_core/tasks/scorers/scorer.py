"""What a scorer is: a pure function of an answer and what is expected, and what it needs of an item."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evomerge_core.tasks.evaluator import Answer


@dataclass(frozen=True)
class Expected:
    """What a correct answer is: any of `references`; `choices`, `pattern` and `language` where the task has them.

    `right` is the place of the correct choice, from 0: which one a reference names depends on the whole column of answers.
    """

    references: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    language: str = ""
    right: int | None = None


ScoreFunction = Callable[["Answer", Expected], float]
Fault = Callable[[Expected], str]


@dataclass(frozen=True)
class Scorer:
    """A scorer: `score` gives 0..1; `fault` says why an item can't be scored, "" when it can.

    `choices`: it rates choices by log-likelihood and nothing is generated. `lacking` names the extra that must be installed for
    it, "" where nothing is missing.
    """

    name: str
    score: ScoreFunction
    fault: Fault
    choices: bool
    lacking: Callable[[], str]


def nothing() -> str:
    """What a scorer lacks that needs no extra."""
    return ""


def needs_reference(expected: Expected) -> str:
    """The fault of an item that has no answer to compare with."""
    return "" if expected.references else "no field `answer` to compare with; name its column in `fields`"


registered: dict[str, Scorer] = {}


def register(
    name: str, *, fault: Fault = needs_reference, choices: bool = False, lacking: Callable[[], str] = nothing
) -> Callable[[ScoreFunction], ScoreFunction]:
    """Makes a function the scorer of that name."""

    def keep(score: ScoreFunction) -> ScoreFunction:
        registered[name] = Scorer(name, score, fault, choices, lacking)
        return score

    return keep
