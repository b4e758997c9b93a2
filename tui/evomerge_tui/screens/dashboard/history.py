"""A run's scores as the plot draws them, kept up as they come in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from evomerge_core.run.candidate.fitness import Rank, rank
from evomerge_core.run.store.facts import RunFacts
from evomerge_core.run.store.records import Outcome
from evomerge_core.run.view.child_estimate import TELLING, search_estimate, search_population
from evomerge_core.run.view.estimates import Estimate, Population, own_estimate
from evomerge_core.tasks.taste import TASTE


@dataclass(frozen=True)
class Spread:
    """The scores of one generation: evaluations [first, last], lowest, middle and highest score."""

    first: int
    last: int
    low: float
    middle: float
    high: float


# A population is found anew when the search has grown by this share.
_GROWTH = 1.1


class History:
    """The outcomes on the search's items, in the search's precision, in the order in which they came; of validation and test
    what is known of the same candidates."""

    def __init__(self) -> None:
        self.all: list[Outcome] = []
        self.search: list[Outcome] = []
        self.references: list[Outcome] = []
        self.labels: dict[int, str] = {}
        self.winner: int | None = None
        # when the job last wrote an event, unix time in seconds
        self.last_event: float | None = None
        self.best: Outcome | None = None
        # (number of the evaluation, the best candidate since then), wherever another became the best
        self.bests: list[tuple[int, Outcome]] = []
        # by split, of finalists and references
        self.later: dict[str, dict[int, Outcome]] = {split: {} for split in TELLING}
        # evaluations by split, in all precisions
        self.done: dict[str, int] = dict.fromkeys(TELLING, 0)
        self.population: Population | None = None
        self._populated = 0
        self._search_items = 0
        self._by_votes = False

    def add(self, outcomes: Iterable[Outcome], facts: RunFacts) -> list[Outcome]:
        """Takes in what is new; gives what of it belongs to the search."""
        before = len(self.all)
        highest = None if self.best is None else rank(self.best, facts)
        for outcome in outcomes:
            self.labels[outcome.candidate] = outcome.label
            if outcome.split in self.done:
                self.done[outcome.split] += 1
            if outcome.precision == facts.precision and outcome.split in self.later:
                self.later[outcome.split][outcome.candidate] = outcome
            if outcome.split != "search" or outcome.precision != facts.precision:
                continue
            self.all.append(outcome)
            if outcome.kind == "search":
                self.search.append(outcome)
                highest = self._compare(outcome, facts, highest)
            else:
                self.references.append(outcome)
        self._search_items = facts.items.get("search", 0)
        self._by_votes = TASTE in facts.weights
        self._populate()
        return self.all[before:]

    def _populate(self) -> None:
        if len(self.search) >= max(2, _GROWTH * self._populated):
            self._populated = len(self.search)
            self.population = search_population(self.search, self._search_items)

    def items(self, outcome: Outcome) -> int:
        """The items that a score is the mean of; stores of earlier versions say only how many a split has."""
        return outcome.items or self._search_items

    def estimate(self, outcome: Outcome) -> Estimate | None:
        """What is known of a candidate: from the test where it was tested, else from validation, else from the search's items,
        for which a child was chosen."""
        for split in TELLING:
            later = self.later[split].get(outcome.candidate)
            if later is not None and later.score is not None:
                return own_estimate(later.score, later.items, split)
        return self.of_search(outcome)

    def of_search(self, outcome: Outcome) -> Estimate | None:
        """What the search's items alone say of a candidate, or votes and these."""
        return search_estimate(outcome, self.population, self._search_items, by_votes=self._by_votes)

    def _compare(self, outcome: Outcome, facts: RunFacts, highest: Rank | None) -> Rank | None:
        """The highest rank so far, `outcome` included."""
        if outcome.score is None:
            return highest
        own = rank(outcome, facts)
        if highest is not None and own < highest:
            return highest
        self.best = outcome
        self.bests.append((len(self.search), outcome))
        return own

    @property
    def failed(self) -> int:
        """Candidates of the search without a score."""
        return sum(outcome.score is None for outcome in self.search)

    def best_of(self, kind: str) -> Outcome | None:
        """The best parent, or the best uniform merge."""
        scored = [outcome for outcome in self.references if outcome.kind == kind and outcome.score is not None]
        return max(scored, key=lambda outcome: outcome.score or 0.0, default=None)

    def best_parent(self, split: str) -> float | None:
        """The score of the best parent on a split's items."""
        of_split = self.later.get(split)
        scores = [one.score for one in (self.references if of_split is None else of_split.values()) if one.kind == "parent"]
        return max((score for score in scores if score is not None), default=None)

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
