"""What a run will take on this machine: time, memory, disk, and what these figures rest on."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from evomerge_core.recipe.schema import Precision, Recipe
from evomerge_core.run.agreement import DRAWN, MERGES, answers_in_all, items_to_compare
from evomerge_core.run.generation.generations import MEAN_EVERY
from evomerge_core.run.precision_choice import with_precision
from evomerge_quant.planning.machine.capacity import Capacity
from evomerge_quant.planning.machine.timings import Timing
from evomerge_quant.planning.memory import MemoryNeed, MemoryParts, memory_need
from evomerge_quant.planning.plan import Plan
from evomerge_quant.planning.precision import PrecisionPlan, choose_for, comparing_need, plan_precision
from evomerge_quant.planning.speed import candidate_seconds
from evomerge_quant.planning.workload import Workload, workload
from evomerge_quant.resident.answering.row_lengths import RowLengths

# With fewer generations a search has not moved from where it began.
FEW_GENERATIONS = 3
# How far the truth may lie from the middle, as a factor, by what the estimate rests on.
_SPREAD = {"same": 1.3, "similar": 2.0, "rule": 3.0}
# Models of other sizes run into other limits: beyond this factor, what was measured on them means nothing.
_NEAR = 8
# Item scores and answers, a candidate.
_STORE_BYTES = 40_000


@dataclass(frozen=True)
class Span:
    """A range that the truth is likely in."""

    low: float
    high: float


@dataclass(frozen=True)
class RunEstimate:
    """`seconds` of the whole run without downloads, `candidate_seconds` of one candidate of the search; `candidates` that it
    will score and the `fewest_candidates` that make a search, `numbers` in a genome. Bytes: `vram`, `ram` (processes included),
    `least` (what the device needs with one answer at a time), the parts of the device's `memory`, `download`, `written` in the
    run's folder. `rows` are answered together. `basis` says what the times rest on; `measured`, whether past runs are part of
    that. `precision` is the search's, `neediest` the one that takes most memory: the search's too, or one that confirms.
    """

    seconds: Span
    candidate_seconds: Span
    candidates: Span
    fewest_candidates: int
    numbers: int
    generations: float
    population: int
    rows: int
    vram: int
    ram: int
    least: int
    memory: MemoryParts
    download: int
    written: int
    basis: str
    measured: bool
    precision: PrecisionPlan
    neediest: Precision


def estimate(
    recipe: Recipe,
    plan: Plan,
    capacity: Capacity,
    timings: Sequence[Timing] = (),
    prompt_tokens: float | None = None,
    lengths: RowLengths | None = None,
) -> RunEstimate:
    """What the run will take. Raises InputError for a task that is wrong or a model that can't be scored."""
    choice = choose_for(recipe, plan, capacity) if recipe.evaluation.precision == "auto" else None
    recipe = recipe if choice is None else with_precision(recipe, choice.precision)
    planned = plan_precision(recipe, choice, plan, capacity)
    work = workload(recipe, capacity.device, timings, prompt_tokens, lengths)
    factor, basis, kind = _experience(recipe, plan, capacity, timings, work)
    spread = _SPREAD[kind]
    comparing = _comparing(plan, work, capacity, planned)
    slow, fast = (_length(plan, work, capacity, factor * by, comparing) for by in (spread, 1 / spread))
    first = _seconds(plan, work, capacity, plan.searches[0].parameters, work.searched_items)
    needs = _needs(recipe, planned, plan, capacity, work)
    shipped = None if planned.compared_on is None else comparing_need(recipe, plan, capacity, work)
    memory = _most(needs) if shipped is None else _beside(_most(needs), shipped, planned.compared_on == capacity.device)
    most = max(search.most_parameters for search in plan.searches)
    return RunEstimate(
        seconds=Span(fast.seconds, slow.seconds),
        candidate_seconds=Span(first * factor / spread, first * factor * spread),
        candidates=Span(slow.candidates, fast.candidates),
        fewest_candidates=FEW_GENERATIONS * sum(search.population for search in plan.searches),
        numbers=max(search.numbers for search in plan.searches),
        generations=fast.candidates / sum(search.population for search in plan.searches),
        population=max(search.population for search in plan.searches),
        rows=memory.rows,
        vram=memory.device if capacity.device == "cuda" else 0,
        ram=memory.ram,
        least=memory.least,
        memory=memory.parts,
        download=plan.download,
        written=2 * most + int(fast.candidates) * _STORE_BYTES,
        basis=basis,
        measured=kind != "rule",
        precision=planned,
        neediest=max(needs, key=lambda precision: needs[precision].least),
    )


def _needs(
    recipe: Recipe, planned: PrecisionPlan, plan: Plan, capacity: Capacity, work: Workload
) -> dict[Precision, MemoryNeed]:
    """What each precision needs, the search's first."""
    return {
        precision: memory_need(precision, recipe.evaluation.arithmetic, plan, capacity, work)
        for precision in (planned.precision, *recipe.evaluation.confirm)
    }


def _most(needs: Mapping[Precision, MemoryNeed]) -> MemoryNeed:
    """What the precision that needs most needs, with the search's rows; one model is in memory at a time."""
    each = list(needs.values())
    return MemoryNeed(
        device=max(need.device for need in each),
        ram=max(need.ram for need in each),
        least=max(need.least for need in each),
        enough=max(need.enough for need in each),
        rows=each[0].rows,
        parts=max((need.parts for need in each), key=lambda parts: parts.most),
    )


def _beside(memory: MemoryNeed, comparing: MemoryNeed, here: bool) -> MemoryNeed:
    """With what scoring in bf16 takes, on the run's own device (`here`) or on the CPU. It is none of the least: it is done only
    where there is room for it."""
    return replace(
        memory,
        device=max(memory.device, comparing.device) if here else memory.device,
        ram=max(memory.ram, comparing.ram),
        parts=max(memory.parts, comparing.parts, key=lambda parts: parts.most) if here else memory.parts,
    )


def _comparing(plan: Plan, work: Workload, capacity: Capacity, planned: PrecisionPlan) -> float:
    """Seconds by rule in which a few merges are scored in bf16 too."""
    if planned.compared_on is None:
        return 0.0
    limits = [search.budget.evaluations for search in plan.searches]
    answers = answers_in_all(
        evaluations=None if None in limits else sum(limit or 0 for limit in limits),
        search=work.search_items,
        validation=work.validation_items,
        test=work.test_items,
        references=work.references,
        finalists=work.finalists * len(plan.searches),
        precisions=work.precisions,
    )
    items = items_to_compare(answers=answers, items=work.search_items)
    shipped = replace(capacity, device=planned.compared_on)
    in_bf16 = MERGES * _seconds(plan, work, shipped, plan.parameters, items)
    return in_bf16 + DRAWN * _seconds(plan, work, capacity, plan.parameters, items)


@dataclass(frozen=True)
class _Length:
    seconds: float
    candidates: float


def _length(plan: Plan, work: Workload, capacity: Capacity, factor: float, comparing: float) -> _Length:
    """The whole run's seconds and its searches' candidates, when everything takes `factor` times as long as the rule says;
    `comparing` are the rule's seconds for comparing precisions."""

    def seconds(parameters: int, items: int) -> float:
        return factor * _seconds(plan, work, capacity, parameters, items)

    total = factor * comparing + work.references * seconds(plan.parameters, work.search_items)
    total += work.precisions * work.references * seconds(plan.parameters, work.test_items)
    candidates = 0.0
    for index, search in enumerate(plan.searches):
        ends = work.precisions * work.finalists * seconds(search.parameters, work.validation_items)
        if work.validation_items:
            ends += work.precisions * work.references * seconds(search.parameters, work.final_first_items)
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
