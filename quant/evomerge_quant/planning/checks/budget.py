"""Preflight of the budget: can it tell anything at all, before it is spent?"""

from __future__ import annotations

import math
from collections.abc import Iterator

from evomerge_core.recipe.schema import Recipe
from evomerge_core.run.statistics import mcnemar
from evomerge_core.run.verdict.verdict import SIGNIFICANT
from evomerge_quant.planning.check import PreflightCheck, ok, warning
from evomerge_quant.planning.estimate import FEW_GENERATIONS, RunEstimate

# A child that is so much better than its best parent is a good one; with fewer items than it takes to see that, a run can only
# end in "no better".
_PLAUSIBLE = 0.15


def budget_checks(recipe: Recipe, estimate: RunEstimate) -> Iterator[PreflightCheck]:
    """Whether the search has enough candidates to get anywhere, and the verdict enough items to see it."""
    yield _search(recipe, estimate)
    for split, subject in (("validation", "Final"), ("test", "Verdict")):
        items = len(recipe.tasks) * getattr(recipe.splits, split)
        if items:
            yield _items(subject, split, items, len(recipe.tasks))


def fewest_items(difference: float = _PLAUSIBLE) -> int:
    """The fewest items on which a child that is better by a difference in 0..1 can reach p < 0.05 in McNemar's exact test: if
    it wins that share of them and loses none."""
    return math.ceil(_fewest_wins() / difference - 1e-9)


def _fewest_wins() -> int:
    """Items that a child must win, with none lost, for p < 0.05."""
    return next(wins for wins in range(1, 100) if mcnemar(wins, 0) < SIGNIFICANT)


def _search(recipe: Recipe, estimate: RunEstimate) -> PreflightCheck:
    found = f"{estimate.numbers} evolved numbers, {estimate.population} candidates per generation"
    if estimate.generations >= FEW_GENERATIONS:
        return ok("Search", found)
    few = f"{found}; the budget lasts for {estimate.generations:.1f} generations, which find little but luck"
    return warning("Search", few, f"give it {_enough(recipe, estimate)}, or evolve fewer groups")


def _enough(recipe: Recipe, estimate: RunEstimate) -> str:
    """The budget of a few generations, in the recipe's own terms."""
    wanted = f"at least {estimate.fewest_candidates} candidates"
    limits = [recipe.budget, *(stage.budget for stage in recipe.stages if stage.budget is not None)]
    if all(limit.minutes is None for limit in limits):
        return wanted
    lacking = max(0.0, estimate.fewest_candidates - estimate.candidates.high)
    seconds = estimate.seconds.high + lacking * estimate.candidate_seconds.high
    return f"time for {wanted}: about {math.ceil(seconds / 60)} minutes in all"


def _items(subject: str, split: str, items: int, tasks: int) -> PreflightCheck:
    """Items of all tasks together, which one test compares."""
    found = f"{items} {split} items"
    if items < fewest_items():
        each = math.ceil(fewest_items() / tasks)
        few = f"{found}: not even a child that is {100 * _PLAUSIBLE:.0f} points better can reach p < {SIGNIFICANT:g} on so few"
        return warning(subject, few, f"raise splits: {split} to {each} or more")
    return ok(subject, f"{found}: a child must be at least {100 * _fewest_wins() / items:.0f} points better to reach p < 0.05")
