"""A run's scores as the plot draws them, kept up as they come in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from evomerge_core.run.candidate.fitness import Rank, rank
from evomerge_core.run.store.facts import RunFacts
from evomerge_core.run.store.records import Outcome


@dataclass(frozen=True)
class Spread:
    """The scores of one generation: evaluations [first, last], lowest, middle and highest score."""

    first: int
    last: int
    low: float
    middle: float
    high: float


class History:
    """The outcomes on the search's items, in the search's precision, in the order in which they came."""

    def __init__(self) -> None:
        self.all: list[Outcome] = []
        self.search: list[Outcome] = []
        self.references: list[Outcome] = []
        self.labels: dict[int, str] = {}
        self.winner: int | None = None
        # when the job last wrote an event, unix time in seconds
        self.last_event: float | None = None
        self.best: Outcome | None = None
        # (number of the evaluation, score of the best candidate since then), wherever another became the best
        self.bests: list[tuple[int, float]] = []

    def add(self, outcomes: Iterable[Outcome], facts: RunFacts) -> list[Outcome]:
        """Takes in what is new; gives what of it belongs to the search."""
        before = len(self.all)
        highest = None if self.best is None else rank(self.best, facts)
        for outcome in outcomes:
            self.labels[outcome.candidate] = outcome.label
            if outcome.split != "search" or outcome.precision != facts.precision:
                continue
            self.all.append(outcome)
            if outcome.kind == "search":
                self.search.append(outcome)
                highest = self._compare(outcome, facts, highest)
            else:
                self.references.append(outcome)
        return self.all[before:]

    def _compare(self, outcome: Outcome, facts: RunFacts, highest: Rank | None) -> Rank | None:
        """The highest rank so far, `outcome` included."""
        if outcome.score is None:
            return highest
        own = rank(outcome, facts)
        if highest is not None and own < highest:
            return highest
        self.best = outcome
        self.bests.append((len(self.search), outcome.score))
        return own

    @property
    def failed(self) -> int:
        """Candidates of the search without a score."""
        return sum(outcome.score is None for outcome in self.search)

    def best_of(self, kind: str) -> Outcome | None:
        """The best parent, or the best uniform merge."""
        scored = [outcome for outcome in self.references if outcome.kind == kind and outcome.score is not None]
        return max(scored, key=lambda outcome: outcome.score or 0.0, default=None)

    def spreads(self) -> list[Spread]:
        """One spread a generation, oldest first."""
        scores: dict[int, list[tuple[int, float]]] = {}
        for number, outcome in enumerate(self.search, start=1):
            if outcome.score is not None and outcome.generation is not None:
                scores.setdefault(outcome.generation, []).append((number, outcome.score))
        return [_spread(pairs) for pairs in scores.values()]


def _spread(pairs: list[tuple[int, float]]) -> Spread:
    ordered = sorted(score for _, score in pairs)
    return Spread(pairs[0][0], pairs[-1][0], ordered[0], ordered[len(ordered) // 2], ordered[-1])
