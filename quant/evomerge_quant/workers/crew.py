"""A run's crew, from what its recipe or its user wants."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.recipe.schema import Recipe, Workers
from evomerge_core.run.candidate.crew import Crew
from evomerge_core.run.setup import Setup
from evomerge_quant.planning.machine.places import Machine, Place, place_workers
from evomerge_quant.planning.machine.shares import cluster_of
from evomerge_quant.planning.machine.taken_cards import cards_for
from evomerge_quant.resident.vision.seen import Seen
from evomerge_quant.workers.cluster import joined
from evomerge_quant.workers.run_description import describe_run


@contextlib.contextmanager
def crew_of(
    wanted: Workers, setup: Setup, model_folders: Sequence[str], features: Path, seen: Mapping[str, Seen]
) -> Iterator[Crew]:
    """The workers that are wanted, ready for a run; they end with the context. `model_folders` are looked through on every
    machine; `features` is the run's folder of what the base makes of its pictures.

    Raises InputError where Ray isn't installed, a cluster can't be used, or a machine lacks a model.
    """
    device = setup.recipe.evaluation.device
    cards = [] if device == "cpu" or cluster_of(wanted) else cards_for(wanted)
    with joined(wanted, cards, partial(is_enough, setup.recipe, wanted)) as machines:
        # not before the environment is set: Ray reads it when it is imported
        from evomerge_quant.workers.ray_crew import RayCrew

        crew = RayCrew(
            places_for(setup.recipe, wanted, machines), describe_run(setup, model_folders, features, list(seen)), seen
        )
        try:
            yield crew
        finally:
            crew.close()


def is_enough(recipe: Recipe, wanted: Workers, machines: Sequence[Machine]) -> bool:
    """Whether there is room for as many workers as there will ever be."""
    if not any(one.taken_cores or one.taken_cards for one in machines):
        return True
    try:
        return isinstance(wanted, int) and len(places_for(recipe, wanted, machines)) == wanted
    except InputError:
        return False


def places_for(recipe: Recipe, wanted: Workers, machines: Sequence[Machine]) -> list[Place]:
    """Where a recipe's workers are placed: on cards, where there are some and the recipe doesn't say otherwise."""
    device = recipe.evaluation.device
    on_cards = device == "cuda" or (device == "auto" and any(one.cards + one.taken_cards for one in machines))
    return place_workers(machines, wanted, on_cards=on_cards)
