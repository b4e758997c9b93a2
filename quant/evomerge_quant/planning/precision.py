"""What `precision: auto` is on this machine, and whether what ships can be scored here beside a search in fewer bits."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from evomerge_core.recipe.schema import FEW_BITS, SHIPPED, ArithmeticSetting, Precision, Recipe
from evomerge_core.run.compare_precisions import Shipped
from evomerge_core.run.precision_choice import PrecisionChoice
from evomerge_core.sources.source import Source
from evomerge_core.sources.vocabulary.child_vocabulary import ChildVocabulary
from evomerge_quant.planning.check import PreflightCheck, ok, warning
from evomerge_quant.planning.machine.capacity import Capacity, measure_capacity
from evomerge_quant.planning.machine.shares import share_of, shared_by
from evomerge_quant.planning.memory import MemoryNeed, memory_need
from evomerge_quant.planning.plan import Plan, plan_with
from evomerge_quant.planning.workload import Workload, workload

if TYPE_CHECKING:  # torch takes seconds to load
    from evomerge_quant.resident.vision.seen import Seen

# From the cheapest in time to the cheapest in memory; `precision_choice` says why.
_ORDER: tuple[Precision, ...] = (SHIPPED, "int8", "int5", "nf4")


@dataclass(frozen=True)
class ShippedPlace:
    """Where bf16 can be scored beside a search in fewer bits: the device, and what it multiplies in."""

    capacity: Capacity
    arithmetic: ArithmeticSetting


@dataclass(frozen=True)
class PrecisionPlan:
    """The search's precision: why it was chosen ("" where the recipe names it), whether bf16 would fit as well, and on which
    device its ranking is compared with bf16's: None where it isn't, and `lacking` says what that would take, "" where nothing
    is to be compared."""

    precision: Precision
    reason: str
    shipped_fits: bool
    compared_on: Literal["cpu", "cuda"] | None
    lacking: str


def choose_precision(recipe: Recipe, base: Source) -> PrecisionChoice:
    """What `precision: auto` is on this machine as it is now. Raises InputError for a model that can't be scored."""
    return choose_for(recipe, plan_with(recipe, base), share_of(measure_capacity(recipe.evaluation.device), recipe))


def choose_for(recipe: Recipe, plan: Plan, capacity: Capacity) -> PrecisionChoice:
    """The first precision, from bf16 downwards, that leaves room for a few answers at a time; 4 bits where none does."""
    work, needs = workload(recipe, capacity.device), dict[Precision, MemoryNeed]()
    for precision in _ORDER:
        needs[precision] = memory_need(precision, recipe.evaluation.arithmetic, plan, capacity, work)
        if needs[precision].enough <= capacity.free:
            break
    chosen = precision
    if chosen == SHIPPED:
        return PrecisionChoice(chosen, "it fits, and is what ships")
    tried = [f"{more} needs {_gb(need.enough)}" for more, need in needs.items() if more != chosen]
    return PrecisionChoice(chosen, f"{', '.join(tried)}, {_gb(capacity.free)} are free")


def plan_precision(recipe: Recipe, choice: PrecisionChoice | None, plan: Plan, capacity: Capacity) -> PrecisionPlan:
    """The search's precision as a plan tells it; the recipe's own precision is not `auto` any more."""
    precision = recipe.evaluation.precision
    assert precision != "auto"
    work = workload(recipe, capacity.device)
    fits = memory_need(SHIPPED, recipe.evaluation.arithmetic, plan, capacity, work).enough <= capacity.free
    place: ShippedPlace | str = ""
    if precision in FEW_BITS and recipe.evaluation.agreement:
        place = _shipped_place(recipe, plan, capacity)
    device, lacking = (None, place) if isinstance(place, str) else (place.capacity.device, "")
    return PrecisionPlan(precision, "" if choice is None else choice.reason, fits, device, lacking)


def comparing_need(recipe: Recipe, plan: Plan, capacity: Capacity, work: Workload) -> MemoryNeed | None:
    """What scoring merges in bf16 takes where it is compared with the search's few bits; None where it fits nowhere."""
    place = _shipped_place(recipe, plan, capacity)
    return None if isinstance(place, str) else memory_need(SHIPPED, place.arithmetic, plan, place.capacity, work)


def precision_check(planned: PrecisionPlan) -> PreflightCheck:
    """The preflight's line about the search's precision."""
    line = planned.precision + (f": {planned.reason}" if planned.reason else "")
    if planned.precision not in FEW_BITS:
        return ok("Precision", line if planned.reason or planned.precision != SHIPPED else f"{line}, which is what ships")
    if planned.shipped_fits:
        return warning("Precision", f"{line}, though {SHIPPED} fits, which is what ships", "write precision: auto")
    if planned.lacking:
        unknown = f"{line}; whether it ranks merges as {SHIPPED} does can't be measured: {planned.lacking}"
        return warning("Precision", unknown, "use a machine with more memory, or smaller models, to be sure")
    if planned.compared_on is None:
        return ok("Precision", f"{line}; its ranking is not compared with {SHIPPED}'s (agreement: false)")
    where = {"cpu": "on the CPU", "cuda": "on the card"}[planned.compared_on]
    return ok("Precision", f"{line}; its ranking is compared with {SHIPPED}'s first, {where}")


def shipped_for(
    recipe: Recipe, base: Source, speaks: ChildVocabulary, seen: Mapping[str, Seen] | None = None, *, sharing: int = 1
) -> Callable[[], Shipped]:
    """What makes models in bf16 for a run that searches in fewer bits, by the memory that is free when it is called; `seen` are
    its pictures, by sha256; `sharing` processes like this one divide the machine's RAM."""

    def find() -> Shipped:
        import torch

        from evomerge_quant.resident.model import evaluators

        # the model that was given up counts as free
        gc.collect()
        torch.cuda.empty_cache()
        capacity = shared_by(measure_capacity(recipe.evaluation.device), sharing)
        place = _shipped_place(recipe, plan_with(recipe, base), capacity)
        if isinstance(place, str):
            return Shipped(None, place)
        return Shipped(evaluators(base.folder, place.capacity.device, place.arithmetic, speaks, seen, sharing=sharing))

    return find


def _shipped_place(recipe: Recipe, plan: Plan, capacity: Capacity) -> ShippedPlace | str:
    """Where bf16 can be scored: on the run's own device, else on the CPU; in words what is missing where it can't."""
    cpu = replace(capacity, device="cpu")
    places = [ShippedPlace(capacity, recipe.evaluation.arithmetic)]
    if capacity.device == "cuda":
        # float32 is faster on most processors, bfloat16 takes half the memory
        places += [ShippedPlace(cpu, "float32"), ShippedPlace(cpu, "bfloat16")]
    work = workload(recipe, capacity.device)
    least = [memory_need(SHIPPED, place.arithmetic, plan, place.capacity, work).least for place in places]
    for place, needed in zip(places, least, strict=True):
        if needed <= place.capacity.free:
            return place
    return f"{SHIPPED} needs {_gb(least[-1])} of RAM, {_gb(cpu.free)} are free"


def _gb(count: float) -> str:
    return f"{count / 1e9:.1f} GB"
