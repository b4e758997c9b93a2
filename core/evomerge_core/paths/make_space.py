"""The search space of a recipe's paths."""

from __future__ import annotations

from evomerge_core.errors import InputError
from evomerge_core.paths.indicator import IndicatorSpace
from evomerge_core.paths.path import Pool
from evomerge_core.paths.slots import SlotSpace
from evomerge_core.paths.space import PathSpace
from evomerge_core.paths.spec import Paths


def make_path_space(paths: Paths, pool: Pool, most_layers: int | None) -> PathSpace:
    """The space of paths through a pool's layers, of at most `most_layers` layers (None: as many as the encoding has).

    InputError when A's own path, with which the search starts, doesn't fit.
    """
    if pool.layers < 2:
        raise InputError(
            "the models have one layer each, and both ends of a path are fixed",
            where="paths",
            remedy="use models of more layers",
        )
    if most_layers is not None and most_layers < pool.layers:
        raise InputError(
            f"max_layers and max_parameters leave room for {most_layers} layers, fewer than the {pool.layers} of each model",
            where="paths",
            remedy="raise them",
        )
    limits = None if paths.scales == "none" else paths.scale
    if paths.encoding == "slots":
        return SlotSpace(pool, _slot_count(paths, pool, most_layers), paths.reach or 0, limits)
    repeats = paths.repeats or 1
    longest = repeats * pool.size + 2 if most_layers is None else most_layers
    return IndicatorSpace(pool, repeats, limits, paths.scales == "matrix", longest)


def _slot_count(paths: Paths, pool: Pool, most_layers: int | None) -> int:
    """As many as the recipe says; else as many as may be; else two for each of A's inner layers: its own and one to insert."""
    inner = pool.layers - 2
    slots = paths.slots or max(1, 2 * inner if most_layers is None else most_layers - 2)
    if slots < inner:
        raise InputError(
            f"{slots} are fewer than the {inner} layers between A's ends, with which the search starts",
            where="paths.slots",
            remedy=f"use {inner} or more",
        )
    return slots if most_layers is None else min(slots, max(1, most_layers - 2))
