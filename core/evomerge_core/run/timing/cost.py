"""What scoring costs: seconds and tokens estimated from what passes took, for rungs, and to end on time.

Pure: nothing here reads a store or a clock.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evomerge_core.run.store.records import Pass

RECENT = 60  # passes; older ones say little about how busy the machine is now
# Merging and loading one source, in tokens that could be read meanwhile, whatever the model's size: both grow with it. CPU:
# a model of 135 M on 2 cores; CUDA: an order of magnitude, merging being bound by copies.
LOAD_TOKENS = {"cpu": 130.0, "cuda": 1500.0}
WRITTEN = 3.0  # a written token in read ones: it is computed alone
# Another token for a whole batch, in read ones: a row that never ends keeps all layers busy for itself.
_STEP = 80.0
_BROKEN = 0.1  # of a search's candidates, in its first generations
CHARACTERS = 4  # of a token, about


@dataclass(frozen=True)
class Costs:
    """Seconds of one merge and load, of one batch of questions whatever its size, and of one item; tokens that are
    written for an item."""

    load: float
    batch: float
    item: float
    tokens: float


@dataclass(frozen=True)
class Work:
    """Passes to be made, the batches in which their questions are answered, and the items in all."""

    passes: int
    batches: int
    items: int

    def __add__(self, other: Work) -> Work:
        return Work(self.passes + other.passes, self.batches + other.batches, self.items + other.items)


@dataclass(frozen=True)
class TimeEstimate:
    """Estimated seconds and generated tokens."""

    seconds: float
    tokens: float

    def __add__(self, other: TimeEstimate) -> TimeEstimate:
        return TimeEstimate(self.seconds + other.seconds, self.tokens + other.tokens)


NOTHING = TimeEstimate(0.0, 0.0)


def work(passes: int, items: int, batch_size: int | None) -> Work:
    """`passes` candidates with `items` items each, `batch_size` rows at a time (None: all together)."""
    return Work(passes, passes * math.ceil(items / (batch_size or max(items, 1))), passes * items)


def learn(passes: Sequence[Pass], batch_size: int | None) -> Costs | None:
    """The costs that fit the recent passes best, in their relative errors; None before a pass has answered anything.

    Passes of one size don't separate a batch's own cost from its items': everything is then the items'.
    """
    recent = [done for done in passes if done.failure is None and done.items > 0][-RECENT:]
    if not recent:
        return None
    works = [work(1, done.items, batch_size) for done in recent]
    answered = np.array([max(1e-6, done.seconds - done.load_seconds) for done in recent])
    batch, item = _fit(np.array([[some.batches, some.items] for some in works], dtype=np.float64), answered)
    return Costs(
        load=statistics.median(done.load_seconds for done in recent),
        batch=batch,
        item=item,
        tokens=sum(done.tokens for done in recent) / sum(done.items for done in recent),
    )


def estimate(costs: Costs, ahead: Work) -> TimeEstimate:
    """What work will take."""
    seconds = costs.load * ahead.passes + costs.batch * ahead.batches + costs.item * ahead.items
    return TimeEstimate(seconds, costs.tokens * ahead.items)


def estimate_all(costs: Mapping[str, Costs], ahead: Mapping[str, Work]) -> TimeEstimate:
    """What work in several precisions will take; a precision without costs of its own counts as being as fast as the first."""
    usual = next(iter(costs.values()))
    return sum((estimate(costs.get(precision, usual), some) for precision, some in ahead.items()), NOTHING)


def load_items(*, device: str, sources: int, read: float, written: float) -> float:
    """How many items could be answered while a candidate is merged and loaded, by rule of thumb: the same on any machine,
    since it decides what a search asks. `read` and `written` are an item's tokens."""
    return LOAD_TOKENS[device] * (sources + 1) / (read + WRITTEN * written)


def gate_pays(*, read: float, most_written: int) -> bool:
    """Whether reading correct answers of `read` tokens in all saves more than it costs, when a broken candidate writes
    `most_written` tokens and most others few. By rule of thumb, for the same reason."""
    return _BROKEN * _STEP * most_written > read


def _fit(done: np.ndarray, seconds: np.ndarray) -> tuple[float, float]:
    """Non-negative seconds of a batch and of an item, by least squares of relative errors."""
    from scipy.optimize import nnls

    shares = done / seconds[:, None]
    if np.linalg.matrix_rank(done) < 2:
        return 0.0, float(1.0 / np.mean(shares[:, 1]))
    (batch, item), _ = nnls(shares, np.ones(len(seconds)))
    return float(batch), float(item)
