"""A run as the dashboard knows it: read in a thread, piece by piece, and never changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from evomerge_core.run.statistics import interval
from evomerge_core.run.store.folder import RESULT, WINNER, open_store
from evomerge_core.run.store.store import Candidate, Outcome, Store
from evomerge_core.run.view.feed import Feed, RunUpdates
from evomerge_core.run.weighted_values import weighted_values


@dataclass(frozen=True)
class Best:
    """The best candidate so far on the search's items, or the winner on the test (`split` says which), with the 95 %
    interval of its score (None: no items)."""

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
        self._store = open_store(folder)
        self._best: Outcome | None = None
        self._result: Mapping[str, Any] | None = None

    def __enter__(self) -> WatchedRun:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._feed.__exit__(kind, error, trace)
        self._store.close()

    def look(self) -> Seen:
        """What is new. Raises `sqlite3.Error` or `OSError` when the run can't be read at the moment."""
        news = self._feed.read()
        best = better(self._best, news)
        found = None
        if best is not None and best is not self._best:
            self._best = best
            found = _best(self._store, best, news.facts.get("weights", {}))
        if self._result is None and news.state == "finished":
            self._result = json.loads((self._folder / WINNER / RESULT).read_text(encoding="utf-8"))
            found = _winner(self._store, news.facts["winner"], self._result["winner"])
        return Seen(news, found, self._result)


def better(best: Outcome | None, news: RunUpdates) -> Outcome | None:
    """The best genome of the search: sound ones first, by score, then by the gold answers' loss; the earlier of equals."""
    precision = news.facts.get("precision", "nf4")
    mine = (o for o in news.outcomes if o.kind == "search" and o.split == "search" and o.precision == precision)
    for outcome in mine:
        if outcome.score is not None and (best is None or _rank(outcome) > _rank(best)):
            best = outcome
    return best


def _rank(outcome: Outcome) -> tuple[bool, float, float]:
    return outcome.mark is None, outcome.score or 0.0, -(outcome.loss or 0.0)


def _winner(store: Store, number: int, winner: Mapping[str, Any]) -> Best:
    return Best(store.candidate(number), winner["test"] or 0.0, None, winner["interval"] and tuple(winner["interval"]), "test")


def _best(store: Store, best: Outcome, weights: Mapping[str, float]) -> Best:
    items = store.item_scores(best.candidate, best.split, best.precision)
    values = weighted_values(items, weights or {item.task: 1.0 for item in items})
    return Best(store.candidate(best.candidate), best.score or 0.0, best.loss, interval(values) if values else None)
