"""What a run wants to know of a candidate next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evomerge_core.recipe.schema import Precision
from evomerge_core.run.candidate.scoring import Gate, Responses
from evomerge_core.run.plan import Asked
from evomerge_core.run.store.facts import Clock
from evomerge_core.run.store.records import Candidate
from evomerge_core.tasks.evaluator import Question


@dataclass(frozen=True)
class Wanted:
    """What a candidate is to be asked: the items of a split, `neutral` texts by (language, number), behind a gate; `keep` takes
    what came of it, and the clock afterwards."""

    candidate: Candidate
    split: str
    precision: Precision
    asked: Sequence[Asked]
    neutral: Mapping[tuple[str, str], Question]
    gate: Gate | None
    keep: Callable[[Responses, Clock], None]


def once(wanted: Iterable[Wanted]) -> Iterator[Wanted]:
    """Every candidate once: a twin's scores are those of the candidate that it stands for."""
    begun: set[int] = set()
    for one in wanted:
        place = one.candidate.twin or one.candidate.id
        if place not in begun:
            begun.add(place)
            yield one
