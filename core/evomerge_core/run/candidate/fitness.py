"""One number to rank candidates by, and the one answer to which of them is best.

Fitness is the score, with the correct answers' log-likelihood breaking ties and steadying races.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from evomerge_core.run.store.facts import RunFacts
from evomerge_core.run.store.records import Evaluation, Outcome

# A race's few items leave more to luck than the correct answers' loss does: there it counts like so many items. Of 720 merges
# of the quickstart's, raced on 11 items, the score alone correlates with what a fit to the other runs predicts by 0.62 within
# a generation, with the loss by 0.67; in the first two generations by 0.68 and 0.75.
_ITEMS_IN_RACES = 8.0

Rank = tuple[bool, bool, int, int, float, int]


def fitness(result: Evaluation | Outcome, items: int, *, break_ties: bool = True, raced: bool = False) -> float | None:
    """Higher is better, in (-1, 1]; None for a failed candidate.

    `items` is the number of scored items: the loss, squeezed into [0, 1), moves the score by less than one item, so
    it orders equal scores only. On its own it identifies broken merges but does not rank good ones. `raced`: the items are a
    race's, and the loss steadies their score.
    """
    if result.score is None:
        return None
    loss = result.loss
    if not break_ties or loss is None or math.isnan(loss):
        return result.score
    return result.score - squeezed(loss) * (min(1.0, _ITEMS_IN_RACES / items) if raced else 1.0 / items)


def squeezed(loss: float) -> float:
    """A mean negative log-likelihood as a number in [0, 1)."""
    return loss / (1.0 + loss)


def rank(outcome: Outcome, facts: RunFacts) -> Rank:
    """The key by which candidates of a run are compared on the search's items; the highest is the best.

    Scored ones come before failed ones, then sound ones before those that the coherence guard marked, those of a later stage
    before those that it builds on, those that were asked more items (in a race, the others dropped out), and the fitter ones;
    of equals the earlier is the better.
    """
    stage = outcome.stage or 0
    raced = facts.race_of(stage) is not None
    worth = fitness(outcome, max(1, outcome.items), break_ties=facts.breaks_ties(stage), raced=raced)
    known = worth is not None
    return known, outcome.mark is None, stage, outcome.items, worth if worth is not None else 0.0, -outcome.candidate


def best_child(outcomes: Iterable[Outcome], facts: RunFacts) -> Outcome | None:
    """The best genome of the search so far, on the search's items in its precision; None before one has a score."""
    mine = (o for o in outcomes if o.kind == "search" and o.split == "search" and o.precision == facts.precision)
    return max((o for o in mine if o.score is not None), key=lambda outcome: rank(outcome, facts), default=None)
