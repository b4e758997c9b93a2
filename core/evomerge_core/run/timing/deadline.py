"""Whether a stage's minutes allow another candidate, by what the passes of this very run took."""

from __future__ import annotations

import math

from evomerge_core.run.plan import RunPlan, StagePlan
from evomerge_core.run.store.facts import batch_size, read_facts
from evomerge_core.run.store.records import POOL
from evomerge_core.run.store.store import Store
from evomerge_core.run.timing.cost import Costs, Work, estimate_all, learn, work

# The winner is merged once more, and written, for each of a search's merges that it takes.
_WRITING = 3


def out_of_time(plan: RunPlan, stage: StagePlan, store: Store, items: int) -> bool:
    """Whether one more candidate on `items` items would leave too little of the stage's minutes for what must follow.

    The first candidate is always scored: a search without any has no winner.
    """
    minutes = stage.budget.minutes
    if minutes is None or not _begun(plan, stage, store):
        return False
    costs = learn_costs(plan, store)
    if not costs:
        return False
    ahead = _ahead(plan, stage, store)
    ahead[plan.precision] += work(1, items, batch_size(store, plan.precision))
    seconds = estimate_all(costs, ahead).seconds + _in_between(plan, stage, store, costs[plan.precision])
    facts = read_facts(store)
    spent = facts.active_seconds - facts.seconds_before(stage.index)
    return spent + seconds > minutes * 60


def learn_costs(plan: RunPlan, store: Store) -> dict[str, Costs]:
    """What scoring costs in this run, in each precision that was scored in; the search's first, {} before there is any."""
    found = {precision: learn(store.passes(precision), batch_size(store, precision)) for precision in plan.precisions}
    known: dict[str, Costs] = {precision: costs for precision, costs in found.items() if costs is not None}
    return known if plan.precision in known else {}


def _begun(plan: RunPlan, stage: StagePlan, store: Store) -> bool:
    first = read_facts(store).first_generation(stage.index)
    passes = (done for done in store.passes(plan.precision) if done.split != POOL)
    return any(done.generation is not None and done.generation >= first for done in passes)


def _ahead(plan: RunPlan, stage: StagePlan, store: Store) -> dict[str, Work]:
    """What follows the stage's search in each precision: its final, and the test after the last stage."""
    parents, uniform = len(store.candidates("parent")), len(store.candidates("uniform"))
    tested = parents + uniform + len(plan.stages) if stage.index == len(plan.stages) - 1 else 0
    rows = batch_size(store, plan.precision)  # a precision that comes later will answer about as many together
    asked = [*plan.final_items(parents + (stage.index or uniform)), (tested, plan.items("test"))]
    at_once = read_facts(store).at_once
    ahead = sum((work(math.ceil(candidates / at_once), items, rows) for candidates, items in asked), Work(0, 0, 0))
    return dict.fromkeys(plan.precisions, ahead)


def _in_between(plan: RunPlan, stage: StagePlan, store: Store, costs: Costs) -> float:
    """Seconds in which nothing is asked: models of another precision are built, and the winner is written."""
    switches = 2 * (len(plan.precisions) - 1)
    writing = _WRITING * costs.load if stage.index == len(plan.stages) - 1 else 0.0
    return switches * read_facts(store).build_seconds + writing
