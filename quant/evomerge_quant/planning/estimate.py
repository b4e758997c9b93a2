"""What a run will take on this machine: time, memory, disk, and what these figures rest on."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from evomerge_core.discovery.headers import OpenedHeaders, download_bytes
from evomerge_core.errors import InputError
from evomerge_core.paths.size import most_parameters
from evomerge_core.paths.space import PathSpace
from evomerge_core.recipe.schema import ArithmeticSetting, Budget, Precision, Recipe
from evomerge_core.run.generation.generations import MEAN_EVERY
from evomerge_core.run.setup import StageSetup, make_stages
from evomerge_core.search.cma_es import population_size
from evomerge_core.sources.pretrained import read_config
from evomerge_core.sources.source import Source
from evomerge_quant.planning.capacity import Capacity
from evomerge_quant.planning.speed import candidate_seconds
from evomerge_quant.planning.timings import Timing, count_parameters
from evomerge_quant.planning.workload import Workload, workload

# How far the truth may lie from the middle, as a factor, by what the estimate rests on.
_SPREAD = {"same": 1.3, "similar": 2.0, "rule": 3.0}
# Models of other sizes run into other limits: beyond this factor, what was measured on them means nothing.
_NEAR = 8
# torch, transformers and the libraries of the device, once loaded.
_PROCESS_BYTES = 800_000_000
_CUDA_BYTES = 600_000_000
# Item scores and answers, a candidate.
_STORE_BYTES = 40_000
# Layers of a long path, as a multiple of the base's.
_LONG_PATH = 1.5


@dataclass(frozen=True)
class Span:
    """A range that the truth is likely in."""

    low: float
    high: float


@dataclass(frozen=True)
class PlannedSearch:
    """One search: its numbers, its limits, and the weights of a usual and of the largest candidate."""

    numbers: int
    budget: Budget
    population: int
    parameters: int
    most_parameters: int


@dataclass(frozen=True)
class Plan:
    """The models of a recipe as far as an estimate needs them: all but their weights."""

    base: Source
    parameters: int
    sources: int
    largest: int
    download: int
    searches: tuple[PlannedSearch, ...]


@dataclass(frozen=True)
class RunEstimate:
    """`seconds` of the whole run without downloads, `candidate_seconds` of one candidate of the search; `candidates` that it
    will score, `numbers` in a genome. Bytes: `vram`, `ram` (processes included), `least` (what the device needs with one
    answer at a time), `download`, `written` in the run's folder. `rows` are answered together. `basis` says what the times
    rest on; `measured`, whether past runs are part of that.
    """

    seconds: Span
    candidate_seconds: Span
    candidates: Span
    numbers: int
    generations: float
    population: int
    rows: int
    vram: int
    ram: int
    least: int
    download: int
    written: int
    basis: str
    measured: bool


def plan_of(recipe: Recipe, looked: OpenedHeaders) -> Plan:
    """The facts of a recipe's models. Raises InputError when its groups don't fit the base, or that can't be looked at."""
    if recipe.base not in looked.opened:
        remedy = "download it first, or choose a base with safetensors"
        raise InputError("its weights are pickles", where=recipe.base, remedy=remedy)
    base = looked.opened[recipe.base]
    shapes = {name: base.shape(name) for name in base.names}
    if not isinstance(base.config.get("num_hidden_layers"), int):
        config = base.folder / "config.json"
        raise InputError("num_hidden_layers is missing", where=config, remedy="give a language model's folder")
    return Plan(
        base=base,
        parameters=count_parameters(shapes),
        sources=len(recipe.sources),
        largest=max(math.prod(shape) for shape in shapes.values()),
        download=download_bytes(looked.opened.values()) + sum(looked.unseen.values()),
        searches=tuple(_planned(stage, base, count_parameters(shapes)) for stage in make_stages(recipe, base)),
    )


def _planned(stage: StageSetup, base: Source, parameters: int) -> PlannedSearch:
    space, layers, most = stage.space, int(base.config["num_hidden_layers"]), parameters
    usual = parameters
    if isinstance(space, PathSpace):
        # paths grow from A's own; few come near to all that an encoding could hold
        most = most_parameters(base, min(space.most_layers, int(_LONG_PATH * layers)))
        usual = (parameters + most) // 2
    population = stage.search.population or population_size(space.dimension)
    return PlannedSearch(space.dimension, stage.budget, population, usual, most)


def estimate(
    recipe: Recipe, plan: Plan, capacity: Capacity, timings: Sequence[Timing] = (), prompt_tokens: float | None = None
) -> RunEstimate:
    """What the run will take. Raises InputError for a task that is wrong or a model that can't be scored."""
    work = workload(recipe, capacity.device, timings, prompt_tokens)
    factor, basis, kind = _experience(recipe, plan, capacity, timings, work)
    spread = _SPREAD[kind]
    slow, fast = (_length(plan, work, capacity, factor * by) for by in (spread, 1 / spread))
    first = _seconds(plan, work, capacity, plan.searches[0].parameters, work.searched_items)
    memory = _memory(recipe, plan, capacity, work)
    most = max(search.most_parameters for search in plan.searches)
    return RunEstimate(
        seconds=Span(fast.seconds, slow.seconds),
        candidate_seconds=Span(first * factor / spread, first * factor * spread),
        candidates=Span(slow.candidates, fast.candidates),
        numbers=max(search.numbers for search in plan.searches),
        generations=fast.candidates / sum(search.population for search in plan.searches),
        population=max(search.population for search in plan.searches),
        rows=memory.rows,
        vram=memory.device if capacity.device == "cuda" else 0,
        ram=memory.ram,
        least=memory.least,
        download=plan.download,
        written=2 * most + int(fast.candidates) * _STORE_BYTES,
        basis=basis,
        measured=kind != "rule",
    )


@dataclass(frozen=True)
class _Length:
    seconds: float
    candidates: float


def _length(plan: Plan, work: Workload, capacity: Capacity, factor: float) -> _Length:
    """The whole run's seconds and its searches' candidates, when everything takes `factor` times as long as the rule says."""

    def seconds(parameters: int, items: int) -> float:
        return factor * _seconds(plan, work, capacity, parameters, items)

    total = work.references * seconds(plan.parameters, work.search_items)
    total += work.precisions * work.references * seconds(plan.parameters, work.test_items)
    candidates = 0.0
    for index, search in enumerate(plan.searches):
        ends = work.precisions * work.finalists * seconds(search.parameters, work.validation_items)
        ends += work.precisions * seconds(search.parameters, work.test_items)
        ends += seconds(search.parameters, work.search_items)  # the winner, or the last centre
        centre = seconds(search.parameters, work.search_items) / (MEAN_EVERY * search.population)
        one = seconds(search.parameters, work.searched_items) + centre
        limit = math.inf if search.budget.evaluations is None else search.budget.evaluations
        if search.budget.minutes is not None:
            spent = ends + (total if index == 0 else 0.0)
            limit = min(limit, max(1.0, (search.budget.minutes * 60 - spent) // one))
        total += ends + limit * one
        candidates += limit
    return _Length(total, candidates)


def _seconds(plan: Plan, work: Workload, capacity: Capacity, parameters: int, items: int) -> float:
    """Seconds by rule to merge a candidate and to score it on so many items."""
    return candidate_seconds(capacity, parameters, plan.sources, items, work.prompt_tokens, work.answer_tokens)


def _experience(
    recipe: Recipe, plan: Plan, capacity: Capacity, timings: Sequence[Timing], work: Workload
) -> tuple[float, str, str]:
    """By which factor past runs on this device were slower than the rule; what that rests on, in words; its kind."""
    near = (plan.parameters / _NEAR, plan.parameters * _NEAR)
    here = [t for t in timings if t.device == capacity.name and near[0] <= t.parameters <= near[1]]
    same = [t for t in here if (t.parameters, t.precision) == (plan.parameters, recipe.evaluation.precision)]
    for some, kind, what in ((same, "same", "with this model"), (here, "similar", "with other models")):
        if some:
            factors = [timing.seconds / _by_rule(timing, capacity) for timing in some]
            runs = f"{len(some)} past run{'s' if len(some) > 1 else ''}"
            return statistics.median(factors), f"from {runs} on this machine {what}", kind
    tokens = f"{work.prompt_tokens:.0f} tokens read and {work.answer_tokens:.0f} written per item"
    count = plan.parameters
    size = f"{count / 1e9:.1f} B" if count > 999.5e6 else f"{count / 1e6:.3g} M"
    runs = "no earlier run of this size" if any(t.device == capacity.name for t in timings) else "no earlier run"
    basis = f"a rough estimate from model size ({size} weights), {tokens}, and {_device(capacity)}; {runs} here"
    return 1.0, basis, "rule"


def _device(capacity: Capacity) -> str:
    return capacity.name if capacity.device == "cuda" else f"{capacity.cores} cores"


def _by_rule(timing: Timing, capacity: Capacity) -> float:
    return candidate_seconds(
        capacity, timing.parameters, timing.sources, timing.items, timing.prompt_tokens, timing.answer_tokens
    )


@dataclass(frozen=True)
class _Memory:
    device: int
    ram: int
    least: int
    rows: int


def _memory(recipe: Recipe, plan: Plan, capacity: Capacity, work: Workload) -> _Memory:
    """What the precision that needs most needs; one model is in memory at a time."""
    precisions: tuple[Precision, ...] = (recipe.evaluation.precision, *recipe.evaluation.confirm)
    each = [_memory_in(precision, recipe.evaluation.arithmetic, plan, capacity, work) for precision in precisions]
    return _Memory(max(m.device for m in each), max(m.ram for m in each), max(m.least for m in each), each[0].rows)


def _memory_in(precision: Precision, arithmetic: ArithmeticSetting, plan: Plan, capacity: Capacity, work: Workload) -> _Memory:
    import torch

    from evomerge_quant.resident import memory
    from evomerge_quant.resident.answering.answering import PREFILL_TOKENS
    from evomerge_quant.resident.answering.reader import LOGITS_AT_ONCE
    from evomerge_quant.resident.model import choose_dtype

    device = torch.device(capacity.device)
    config = read_config(plan.base.folder)
    dtype = choose_dtype(precision, device, arithmetic)
    deepest = max(search.most_parameters for search in plan.searches) / plan.parameters
    resident = int(_resident(plan.base.folder, precision, dtype, capacity) * deepest)
    merging = 4 * plan.largest * (plan.sources + 2)
    workspace = memory.workspace_bytes(config, dtype, PREFILL_TOKENS[device.type], LOGITS_AT_ONCE)
    token = int(memory.kv_bytes_per_token(config, dtype) * deepest)
    process = _CUDA_BYTES if device.type == "cuda" else _PROCESS_BYTES
    budget = memory.MemoryBudget(max(0, capacity.free - resident), workspace, token)
    rows = min(work.search_items, memory.fit_batch(budget, work.most_tokens, device))
    least = process + resident + max(merging, workspace + 2 * token * work.most_tokens)
    needed = process + resident + merging + workspace + 2 * token * work.most_tokens * rows
    ram = needed if device.type == "cpu" else _PROCESS_BYTES + 2 * merging
    return _Memory(needed, ram, least, rows)


@lru_cache(maxsize=64)
def _resident(folder: Path, precision: Precision, dtype: Any, capacity: Capacity) -> int:
    from evomerge_quant.resident import memory

    config = read_config(folder)
    try:
        unpacked = memory.unpacked_fits(config, precision, dtype, capacity.device, capacity.free)
        return memory.resident_bytes(config, precision, dtype, unpacked=unpacked)
    except (ValueError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())[:160]
        problem = f"not a model that can be scored ({reason})"
        raise InputError(problem, where=folder / "config.json", remedy="choose another base") from None
