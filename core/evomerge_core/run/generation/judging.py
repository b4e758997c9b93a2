"""How a generation is judged: by a race on a few items, or by scoring every candidate on everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from evomerge_core.recipe.schema import Precision, Racing, SearchSettings
from evomerge_core.run.candidate.coherence_guard import Guard
from evomerge_core.run.candidate.fitness import fitness
from evomerge_core.run.generation.race import RaceSettings
from evomerge_core.run.plan import RunPlan, StagePlan
from evomerge_core.run.store.facts import read_facts, write_race
from evomerge_core.run.store.records import Candidate
from evomerge_core.run.store.store import Store
from evomerge_core.run.timing.deadline import out_of_time
from evomerge_core.search.racing.result import RaceResult
from evomerge_core.search.racing.rungs import last_rung, rung_sizes

# With fewer items there is nothing to save.
_FEWEST_ITEMS = 16
# Evaluates candidates on a split in a precision, those that the store has no evaluation of. They are taken one after the other,
# as they can be asked.
EvaluateAll = Callable[[Iterable[Candidate], str, Precision], None]


def score_all(
    plan: RunPlan, stage: StagePlan, store: Store, evaluate_all: EvaluateAll, candidates: Sequence[Candidate]
) -> list[RaceResult] | None:
    """Each candidate's result on all of the search's items; None when the stage's minutes ran out."""

    def due() -> Iterator[Candidate]:
        for candidate in candidates:
            if store.evaluation(candidate.id, "search", plan.precision) is None:
                if out_of_time(plan, stage, store, plan.items("search")):
                    return
                yield candidate

    evaluate_all(due(), "search", plan.precision)
    results = []
    for candidate in candidates:
        evaluation = store.evaluation(candidate.id, "search", plan.precision)
        if evaluation is None:
            return None
        incoherent = store.mark(candidate.id, "search", plan.precision) is not None
        worth = fitness(evaluation, plan.items("search"), break_ties=stage.breaks_ties)
        results.append(RaceResult(worth, 0, incoherent=incoherent))
    return results


def races(plan: RunPlan, stage: StagePlan) -> bool:
    """Whether a stage's candidates are asked few items, and others each generation."""
    return stage_sizes(plan, stage) is not None


def stage_sizes(plan: RunPlan, stage: StagePlan) -> tuple[int, ...] | None:
    """Items of each task after each rung of a stage's races; None where every candidate is scored on everything."""
    validated = plan.items("validation") > 0
    return race_sizes(stage.search, items=plan.search_items, validated=validated, load=plan.load_items)


def race_settings(plan: RunPlan, stage: StagePlan, store: Store, guard: Guard | None) -> RaceSettings | None:
    """The stage's races; None where every candidate is scored on everything."""
    sizes = stage_sizes(plan, stage)
    if sizes is None:
        return None
    # a run that is resumed on another machine keeps its races
    sizes = read_facts(store).race_of(stage.index) or sizes
    write_race(store, stage.index, sizes)
    error = stage.search.racing.error if stage.search.racing is not None else Racing().error
    return RaceSettings(plan, store, sizes, error, stage.breaks_ties, guard, stage.name)


def race_sizes(search: SearchSettings, *, items: int, validated: bool, load: float) -> tuple[int, ...] | None:
    """Items of each task after each rung of a race, None for no race.

    Of each task the search has `items`; `validated`: there are others to choose the winner by. `load` answers take as long
    as merging and loading.
    """
    if search.breeds:
        # members compete for the same items
        return None
    asked = search.racing
    if asked is None:
        return rung_sizes(last_rung(items), load_items=load) if items >= _FEWEST_ITEMS and validated else None
    if not asked.enabled:
        return None
    last = asked.items or max(asked.first or 0, last_rung(items))
    return rung_sizes(last, first=asked.first, load_items=load)
