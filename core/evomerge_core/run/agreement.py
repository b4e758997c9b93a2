"""Whether scores in few bits rank merges as scores in bf16 do, which is what ships: measured on the same few items.

Every merge answers the same items in both precisions. A score on an item, less the mean of all merges on it, is the merge's
effect plus luck. Luck on an item is much the same in both precisions (same question, nearly the same weights), so that
precisions which rank nothing but luck would seem to agree. Only products over two *different* items are free of it:

    C(a, b) = sum over merges and items i != j of a_i b_j, divided by n (n - 1)

is an unbiased estimate of the merges' covariance of true effects. How well n items in few bits predict effects in bf16, as a
share of how well n items in bf16 itself predict them, is then

    agreement = C(few, bf16) / C(bf16, bf16) * sd(bf16) / sd(few)

where sd is the spread of the merges' mean scores on the n items, luck included. It is 1 where few bits are as good as bf16,
and 0 where they say nothing. A search that chooses by scores with an agreement of r gains r of what it could in a generation.
Its interval is a bootstrap over items (Efron 1979), whose effects and luck stay together in pairs.

`LEAST` and `FEWEST_ITEMS` are set by simulation (`tests/benchmarks/agreement_simulation.py`, figures in docs/measured.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evomerge_core.recipe.schema import SHIPPED
from evomerge_core.run.plan import FINALISTS, RunPlan

Matrix = NDArray[np.float64]

# Merges that are drawn as a search's first generation is, and all that are compared: with the equal-weight merges.
DRAWN = 6
MERGES = 9
# A ranking whose agreement is below this, even at the upper end of its interval, leads nowhere.
LEAST = 0.5
FEWEST_ITEMS = 24
MOST_ITEMS = 96
# A run whose search has fewer items can't tell: their luck is all that is seen.
_LEAST_ITEMS = 8
FEWEST_MERGES = 5
# Of all answers of a run, what comparing may take.
_SHARE = 0.15
# Candidates of a search that is limited by minutes alone, for that share.
_USUAL_CANDIDATES = 60
# Of the search's items, what a candidate is asked about, for that share.
_RACED = 0.25
_CONFIDENCE = 0.95
_RESAMPLES = 2000


@dataclass(frozen=True)
class Agreement:
    """How well a precision ranks `merges` on `items` as bf16 does: `value` with its 95 % interval, all None where nothing was
    measured; `problem` says why not."""

    precision: str
    merges: int = 0
    items: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    problem: str = ""

    @property
    def chases_noise(self) -> bool:
        """Whether a search in this precision would chase noise, beyond doubt."""
        return self.high is not None and self.high < LEAST

    @property
    def sentence(self) -> str:
        """What was found, for every screen and report."""
        if self.value is None:
            return f"whether {self.precision} ranks merges as {SHIPPED} does was not measured: {self.problem}"
        found = f"{self.precision} agrees with {SHIPPED} on {self.value:.2f} of the ranking over {self.merges} merges"
        found += f" and {self.items} items (95 % interval {self.low:.2f} to {self.high:.2f})"
        return f"{found}: a search in it would chase noise" if self.chases_noise else found


def read_agreement(fact: Mapping[str, Any] | None) -> Agreement | None:
    """The agreement that a run's store keeps; None where precisions weren't compared."""
    return None if fact is None else Agreement(**fact)


def agreement(precision: str, few: Matrix, shipped: Matrix) -> Agreement:
    """The agreement of scores in a precision with those in bf16, both float64 [merges, items], the same items in one order.

    Without a value where bf16's own scores don't tell the merges apart: then there is no ranking to agree with.
    """
    merges, items = shipped.shape
    if merges < 2 or items < _LEAST_ITEMS:
        return Agreement(precision, merges, items, problem=f"{merges} merges on {items} items are too few")
    ours, theirs = few - few.mean(axis=0), shipped - shipped.mean(axis=0)
    draws = np.random.default_rng(0).multinomial(items, np.full(items, 1 / items), size=_RESAMPLES).astype(np.float64)
    draws = draws[(draws > 0).sum(axis=1) > 1]  # one item alone has no products with others
    tail = (1 - _CONFIDENCE) / 2
    if np.quantile(_covariance(theirs, theirs, draws), tail) <= 0:
        alike = f"{SHIPPED} scores {merges} merges too much alike on {items} items to rank them"
        return Agreement(precision, merges, items, problem=alike)
    value = _share(ours, theirs, np.ones((1, items)))[0]
    low, high = np.quantile(_share(ours, theirs, draws), [tail, 1 - tail])
    return Agreement(precision, merges, items, float(value), float(low), float(high))


def compared_items(plan: RunPlan, references: int) -> int:
    """How many of the search's items merges are asked in both precisions, in a run with so many references; 0 for none."""
    if not plan.compared:
        return 0
    limits = [stage.budget.evaluations for stage in plan.stages]
    answers = answers_in_all(
        evaluations=None if None in limits else sum(limit or 0 for limit in limits),
        search=plan.items("search"),
        validation=plan.items("validation"),
        test=plan.items("test"),
        references=references,
        finalists=FINALISTS * len(plan.stages),
        precisions=len(plan.precisions),
    )
    return items_to_compare(answers=answers, items=plan.items("search"))


def items_to_compare(*, answers: float, items: int) -> int:
    """How many of the search's `items` are asked in both precisions, in a run of so many answers."""
    passes = MERGES + DRAWN  # few bits' scores of the equal-weight merges are known
    return min(items, MOST_ITEMS, max(FEWEST_ITEMS, int(_SHARE * answers / passes)))


def answers_in_all(
    *,
    evaluations: int | None,
    search: int,
    validation: int,
    test: int,
    references: int,
    finalists: int,
    precisions: int,
) -> float:
    """About how many answers a run takes, its splits having so many items of all tasks; `evaluations` None: by minutes."""
    candidates = _USUAL_CANDIDATES if evaluations is None else evaluations
    finals = precisions * (finalists * validation + (references + 1) * test)
    return references * search + candidates * _RACED * search + finals


def _share(ours: Matrix, theirs: Matrix, draws: Matrix) -> Matrix:
    """The agreement for each draw of items, within -1 to 1; `ours` and `theirs` are centred.

    0 where few bits score all merges alike; 1, in favour of the precision, where bf16 doesn't tell them apart.
    """
    apart = _covariance(theirs, theirs, draws)
    spread = _mean_products(ours, ours, draws)
    known = np.sqrt(_mean_products(theirs, theirs, draws) / np.where(spread > 0, spread, np.inf))
    shares = _covariance(ours, theirs, draws) / np.where(apart > 0, apart, np.inf) * known
    return np.where(apart > 0, np.clip(shares, -1.0, 1.0), 1.0)


def _covariance(first: Matrix, second: Matrix, draws: Matrix) -> Matrix:
    """The covariance of the merges' effects for each draw of items, float64 [draws]: products of an item with itself are left
    out."""
    items = first.shape[1]
    alone = (draws**2) @ (first * second).sum(axis=0)
    return np.asarray((items**2 * _mean_products(first, second, draws) - alone) / (items**2 - (draws**2).sum(axis=1)))


def _mean_products(first: Matrix, second: Matrix, draws: Matrix) -> Matrix:
    """The summed products of the merges' means for each draw of items, float64 [draws]."""
    items = first.shape[1]
    return np.asarray(((draws @ first.T) * (draws @ second.T)).sum(axis=1) / items**2)
