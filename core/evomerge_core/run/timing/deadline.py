"""Whether a stage's minutes allow one thing more: what is still to come is foretold from what passes took in this very run."""

from __future__ import annotations

from evomerge_core.run.generation.finalists import FINALISTS
from evomerge_core.run.setup import Setup, StageSetup
from evomerge_core.run.store.store import Store
from evomerge_core.run.timing.cost import Costs, Work, foretell_all, learn, work

# The winner is merged once more, and written, for each of a search's merges that it takes.
_WRITING = 3


def out_of_time(setup: Setup, stage: StageSetup, store: Store, items: int) -> bool:
    """Whether one more candidate on `items` items would leave too little of the stage's minutes for what must follow.

    The first candidate is always scored: a search without any has no winner.
    """
    minutes = stage.budget.minutes
    if minutes is None or not _begun(setup, stage, store):
        return False
    costs = learn_costs(setup, store)
    if not costs:
        return False
    ahead = _ahead(setup, stage, store)
    ahead[setup.precision] += work(1, items, rows_together(store, setup.precision))
    seconds = foretell_all(costs, ahead).seconds + _in_between(setup, stage, store, costs[setup.precision])
    spent = store.fact("active_seconds", 0.0) - store.fact("stage_seconds", [0.0])[stage.index]
    return bool(spent + seconds > minutes * 60)


def learn_costs(setup: Setup, store: Store) -> dict[str, Costs]:
    """What scoring costs in this run, in each precision that was scored in; the search's first, {} before there is any."""
    found = {precision: learn(store.passes(precision), rows_together(store, precision)) for precision in setup.precisions}
    known: dict[str, Costs] = {precision: costs for precision, costs in found.items() if costs is not None}
    return known if setup.precision in known else {}


def _begun(setup: Setup, stage: StageSetup, store: Store) -> bool:
    first = store.fact("stage_starts", [0])[stage.index]
    return any(one.generation is not None and one.generation >= first for one in store.passes(setup.precision))


def _ahead(setup: Setup, stage: StageSetup, store: Store) -> dict[str, Work]:
    """What follows the stage's search in each precision: its finalists, and the test after the last stage."""
    tested = 0
    if stage.index == len(setup.stages) - 1:
        tested = len(store.candidates("parent")) + len(store.candidates("uniform")) + len(setup.stages)
    finalists, test = setup.items("validation"), setup.items("test")
    rows = rows_together(store, setup.precision)  # a precision that comes later will answer about as many together
    return {one: work(FINALISTS, finalists, rows) + work(tested, test, rows) for one in setup.precisions}


def _in_between(setup: Setup, stage: StageSetup, store: Store, costs: Costs) -> float:
    """Seconds in which nothing is asked: models of another precision are built, and the winner is written."""
    switches = 2 * (len(setup.precisions) - 1)
    writing = _WRITING * costs.load if stage.index == len(setup.stages) - 1 else 0.0
    return float(switches * store.fact("build_seconds", 0.0) + writing)


def rows_together(store: Store, precision: str) -> int | None:
    """Rows that are answered together, where it is known yet."""
    rows: int | None = store.fact(f"batch_size_{precision}")
    return rows
