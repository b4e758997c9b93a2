"""What the best child is likely to score, which is less than it scored where it was chosen for that."""

from __future__ import annotations

from collections.abc import Sequence

from evomerge_core.run.store.facts import RunFacts
from evomerge_core.run.store.records import Outcome
from evomerge_core.run.view.estimates import Estimate, own_estimate, population
from evomerge_core.tasks.taste import TASTE

# Which items say more about a child: those that it wasn't chosen by.
_TELLING = ("test", "validation")


def child_estimate(child: Outcome, outcomes: Sequence[Outcome], facts: RunFacts) -> Estimate | None:
    """Of a child of the search, from the run's outcomes in the search's precision: by the test where it was tested, else by
    validation, else by the search's items. None where it has no score, or one that votes have a part in.
    """
    if child.score is None or TASTE in facts.weights:
        return None
    for split in _TELLING:
        for one in outcomes:
            if (one.candidate, one.split) == (child.candidate, split) and one.score is not None:
                return own_estimate(one.score, one.items, split)
    return _by_search(child, child.score, outcomes, facts)


def _by_search(child: Outcome, score: float, outcomes: Sequence[Outcome], facts: RunFacts) -> Estimate:
    many = facts.items.get("search", 0)
    searched = [one for one in outcomes if one.kind == "search" and one.split == "search"]
    scored = [(one.score, one.items or many) for one in searched if one.score is not None]
    alike = population([one for one, _ in scored], [items for _, items in scored])
    items = child.items or many
    return own_estimate(score, items, "search") if alike is None else alike.estimate(score, items)
