"""Preflight of a run's workers: whether Ray is there, and what each of them has of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from evomerge_core.errors import InputError
from evomerge_core.recipe.schema import Recipe
from evomerge_quant.planning.check import PreflightCheck, ok, refused
from evomerge_quant.planning.estimate import RunEstimate, Span
from evomerge_quant.planning.machine.capacity import Capacity
from evomerge_quant.planning.machine.places import Machine, place_workers
from evomerge_quant.planning.machine.ray_extra import require_ray
from evomerge_quant.planning.machine.shares import cluster_of, count_here, share_of
from evomerge_quant.planning.machine.taken_cards import cards_for


def worker_checks(recipe: Recipe, capacity: Capacity) -> Iterator[PreflightCheck]:
    """Whether this machine has room for the recipe's workers; those of a cluster are looked at when the run starts."""
    wanted = recipe.search.workers
    if wanted is None:
        return
    on_cards = capacity.device == "cuda"
    try:
        require_ray()
        cluster = cluster_of(wanted)
        if cluster is not None:
            yield ok("Workers", f"those of {cluster}: their models and memory are checked when the run starts")
            return
        cards = len(cards_for(wanted)) if on_cards else 0
        places = place_workers([Machine("", "this machine", capacity.cores, cards)], wanted, on_cards=on_cards)
    except InputError as error:
        yield refused("Workers", error)
        return
    count, own = len(places), share_of(capacity, recipe)
    each = "one to a card" if on_cards else f"{places[0].threads} of {capacity.cores} cores each"
    shared = f"{own.ram_free / 1e9:.1f} GB of RAM each, models being mapped once for all"
    yield ok("Workers", f"{count} on this machine, {each}, {shared}")


def by_workers(estimate: RunEstimate, recipe: Recipe, capacity: Capacity) -> RunEstimate:
    """The estimate of a run whose candidates are scored by several workers at a time; one that ends by minutes takes those."""
    count = count_here(recipe, capacity)
    budgets = [recipe.budget, *(stage.budget for stage in recipe.stages if stage.budget is not None)]
    if count == 1 or any(budget.minutes is not None for budget in budgets):
        return estimate
    return replace(estimate, seconds=Span(estimate.seconds.low / count, estimate.seconds.high / count))
