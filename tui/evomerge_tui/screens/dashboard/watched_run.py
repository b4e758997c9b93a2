"""A run as the dashboard knows it: read in a thread, piece by piece, and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from evomerge_core.run.candidate.fitness import best_child
from evomerge_core.run.statistics import interval
from evomerge_core.run.store.records import Candidate, Outcome
from evomerge_core.run.store.store import Store
from evomerge_core.run.verdict.candidate_scores import weighted_values
from evomerge_core.run.view.estimates import VOTES
from evomerge_core.run.view.feed import Feed, RunUpdates
from evomerge_core.run.view.result import read_result
from evomerge_core.tasks.taste import TASTE


@dataclass(frozen=True)
class Best:
    """The best candidate so far on the search's items, or the winner on the test (`split` says which), with the 95 %
    interval of its score (None: no items, or votes have a part in it)."""

    candidate: Candidate
    score: float
    loss: float | None
    interval: tuple[float, float] | None
    split: str = "search"


@dataclass(frozen=True)
class Seen:
    """What one look found: the news, the best when it changed, the result when the run has one."""

    news: RunUpdates
    best: Best | None
    result: Mapping[str, Any] | None


class WatchedRun:
    """Looks at a run again and again; for one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._feed = Feed(folder)
        self._best: Outcome | None = None
        self._result: Mapping[str, Any] | None = None

    def __enter__(self) -> WatchedRun:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._feed.__exit__(kind, error, trace)

    def look(self) -> Seen:
        """What is new. Raises `sqlite3.Error` or `OSError` when the run can't be read at the moment."""
        news = self._feed.read()
        known = () if self._best is None else (self._best,)
        best = best_child((*known, *news.outcomes), news.facts)
        found = None
        if best is not None and best is not self._best:
            self._best = best
            found = _best(self._feed.store, best, news.facts.weights)
        if self._result is None and news.state == "finished":
            self._result = read_result(self._folder)
            if self._result is not None and news.facts.winner is not None:
                found = _winner(self._feed.store, news.facts.winner, self._result)
        return Seen(news, found, self._result)


def _winner(store: Store, number: int, result: Mapping[str, Any]) -> Best:
    winner, split = result["winner"], "test" if result["items"] else VOTES
    return Best(store.candidate(number), winner["test"] or 0.0, None, winner["interval"] and tuple(winner["interval"]), split)


def _best(store: Store, best: Outcome, weights: Mapping[str, float]) -> Best:
    items = store.item_scores(best.candidate, best.split, best.precision)
    values = weighted_values(items, weights or {item.task: 1.0 for item in items})
    # votes say the same of each prompt
    certain = interval(values) if values and all(item.task != TASTE for item in items) else None
    return Best(store.candidate(best.candidate), best.score or 0.0, best.loss, certain)
