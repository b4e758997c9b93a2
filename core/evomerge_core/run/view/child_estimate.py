"""What a candidate is likely to score, from what it was asked: less than it scored where it was chosen for that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evomerge_core.run.store.facts import RunFacts
from evomerge_core.run.store.records import Outcome
from evomerge_core.run.view.estimates import Estimate, Population, own_estimate, population, rating
from evomerge_core.tasks.taste import TASTE

# Which items say more about a child: those that it wasn't chosen by.
TELLING = ("test", "validation")


def child_estimate(child: Outcome, outcomes: Sequence[Outcome], facts: RunFacts) -> Estimate | None:
    """Of a child of the search, from the run's outcomes in the search's precision: by the test where it was tested, else by
    validation, else by the search's items. None where it has no score."""
    for split in TELLING:
        for one in outcomes:
            if (one.candidate, one.split) == (child.candidate, split) and one.score is not None:
                return own_estimate(one.score, one.items, split)
    many = facts.items.get("search", 0)
    searched = (one for one in outcomes if one.kind == "search" and one.split == "search")
    return search_estimate(child, search_population(searched, many), many, by_votes=TASTE in facts.weights)


def search_population(searched: Iterable[Outcome], many: int) -> Population | None:
    """The population that the search's outcomes come from; `many` are the items of those in stores of earlier versions, which
    say only how many a split has."""
    scored = [(one.score, one.items or many) for one in searched if one.score is not None]
    return population([score for score, _ in scored], [items for _, items in scored])


def search_estimate(one: Outcome, alike: Population | None, many: int, *, by_votes: bool) -> Estimate | None:
    """What the search's items alone say of a candidate, a child being one of the population `alike`; its rating where votes
    have a part in its score (`by_votes`). `many` as in `search_population`. None where it has no score."""
    if one.score is None:
        return None
    if by_votes:
        return rating(one.score)
    if one.kind == "search" and alike is not None:
        return alike.estimate(one.score, one.items or many)
    return own_estimate(one.score, one.items or many, "search")
