"""Before a search in few bits: does it rank merges as what ships does? A few merges are scored in both, and the run ends here
where its search could only chase noise.

The merges are the equal-weight merges and a first generation of the search, drawn with another seed: what a search has to rank.
Parents are none of it. They are far from the merges in most crosses, and any precision tells them apart; where paths are
evolved they stand in for equal-weight merges. The items are some of the search's. What was found is kept, so that a resumed
run neither asks again nor thinks otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import takewhile

import numpy as np

from evomerge_core.errors import InputError
from evomerge_core.genome.space import Space
from evomerge_core.paths.space import PathSpace
from evomerge_core.recipe.schema import SHIPPED, Precision
from evomerge_core.run.agreement import DRAWN, FEWEST_MERGES, Agreement, Matrix, agreement, compared_items, read_agreement
from evomerge_core.run.candidate.cached_evaluation import CachedEvaluator
from evomerge_core.run.candidate.candidate_loader import CandidateLoader
from evomerge_core.run.candidate.held_model import MakeEvaluator
from evomerge_core.run.generation.generations import make_optimizer
from evomerge_core.run.plan import Asked, RunPlan
from evomerge_core.run.setup import Setup
from evomerge_core.run.store.facts import begin_phase, read_facts, write_facts
from evomerge_core.run.store.records import AGREEMENT, Candidate
from evomerge_core.run.store.store import Store

# Of the time that a run is expected to take, what scoring in bf16 may take; at least the seconds, where no time is set.
_SHARE = 0.15
_LEAST_SECONDS = 120.0
# Sets the drawn merges apart from the search's own first generation.
_OTHER_SEED = 2**31


@dataclass(frozen=True)
class Shipped:
    """What makes a model in bf16, wherever there is room for it; None where there is none, and `lacking` says what it takes."""

    make: MakeEvaluator | None
    lacking: str = ""


def compare_precisions(setup: Setup, store: Store, evaluator: CachedEvaluator, shipped: Callable[[], Shipped]) -> None:
    """Compares the search's precision with bf16, once a run. Raises `InputError` where a search in it would chase noise.

    The references must have been scored. `shipped` is asked when no model is in memory.
    """
    if not setup.plan.compared:
        return
    facts = read_facts(store)
    found = read_agreement(facts.agreement)
    if found is None:
        if facts.stage_starts:
            return  # an earlier version began the search
        found = _compared(setup, store, evaluator, shipped)
        write_facts(store, agreement=asdict(found))
        store.add_event("agreement", text=found.sentence)
    if found.chases_noise:
        more = "precision: auto" if facts.precision_choice is None else "smaller models or more memory"
        remedy = f"start a new run with {more}, or with agreement: false to search all the same"
        raise InputError(found.sentence, where=f"evaluation.precision: {setup.plan.precision}", remedy=remedy)


def _compared(setup: Setup, store: Store, evaluator: CachedEvaluator, shipped: Callable[[], Shipped]) -> Agreement:
    plan, parents, equal = setup.plan, store.candidates("parent"), store.candidates("uniform")
    asked = _first_items(plan, compared_items(plan, len(parents) + len(equal)))
    drawn = list(_draw(setup, store))
    evaluator.loader.release()
    other = shipped()
    if other.make is None:
        return Agreement(plan.precision, problem=other.lacking)
    known = equal or parents
    begin_phase(store, AGREEMENT, len(known) + 2 * len(drawn))
    loader = CandidateLoader(setup, store, other.make, shipped=True)
    in_bf16 = CachedEvaluator(plan, store, loader, evaluator.since, evaluator.require_unchanged, crew=evaluator.crew)
    merges = _scored_in_time(plan, store, in_bf16, _mixed(known, drawn), asked)
    loader.release()
    evaluator.since = in_bf16.since
    if len(merges) < FEWEST_MERGES:
        few_in_time = f"in the time that is set apart {SHIPPED} scores only {len(merges)} merges"
        return Agreement(plan.precision, problem=few_in_time)
    evaluator.evaluate_all([one for one in merges if one in drawn], AGREEMENT, plan.precision, asked)
    few = [_values(plan, store, candidate, plan.precision, asked) for candidate in merges]
    return agreement(plan.precision, np.array(few), np.array([_values(plan, store, c, SHIPPED, asked) for c in merges]))


def _first_items(plan: RunPlan, items: int) -> tuple[Asked, ...]:
    """So many of the search's items, as many of each task."""
    count = -(-items // len(plan.tasks))
    of_task = {task.name: [a for a in plan.asked["search"] if a.task is task] for task in plan.tasks}
    return tuple(asked for some in of_task.values() for asked in some[:count])


def _draw(setup: Setup, store: Store) -> Iterator[Candidate]:
    """Merges as a first generation of the search draws them."""
    stage = next((stage for stage in setup.stages if isinstance(stage.space, Space)), setup.stages[0])
    genomes = make_optimizer(stage, setup.plan.seed + _OTHER_SEED, whole_ranking=True).ask()
    # a search of paths begins with the first parent itself
    own = genomes[1:] if isinstance(stage.space, PathSpace) else genomes
    for number, genome in enumerate(own[:DRAWN], start=1):
        yield store.add_candidate("drawn", f"drawn {number}", genome=genome.tolist(), stage=stage.index)


def _mixed(known: Sequence[Candidate], drawn: Sequence[Candidate]) -> list[Candidate]:
    """In turn, so that those which are scored in time are of both kinds."""
    pairs = list(zip(known, drawn, strict=False))
    return [*(one for pair in pairs for one in pair), *known[len(pairs) :], *drawn[len(pairs) :]]


def _scored_in_time(
    plan: RunPlan, store: Store, evaluator: CachedEvaluator, merges: Sequence[Candidate], asked: Sequence[Asked]
) -> list[Candidate]:
    """Scores merges in bf16 as long as their time lasts; those that it lasted for."""
    due = takewhile(lambda one: _is_scored(store, one) or not _time_is_up(plan, store), merges)
    evaluator.evaluate_all(due, AGREEMENT, SHIPPED, asked)
    return list(takewhile(partial(_is_scored, store), merges))


def _is_scored(store: Store, candidate: Candidate) -> bool:
    return store.evaluation(candidate.id, AGREEMENT, SHIPPED) is not None


def _time_is_up(plan: RunPlan, store: Store) -> bool:
    """Whether one more merge in bf16 would take more than its share."""
    taken = [done.seconds for done in store.passes(SHIPPED) if done.split == AGREEMENT]
    if not taken:
        return False
    foretold, minutes = read_facts(store).estimated, plan.stages[0].budget.minutes
    allowed = _LEAST_SECONDS if foretold is None else max(_LEAST_SECONDS, _SHARE * foretold["seconds"])
    if minutes is not None:
        allowed = min(allowed, _SHARE * 60 * minutes)
    return sum(taken) * (1 + 1 / len(taken)) > allowed


def _values(plan: RunPlan, store: Store, candidate: Candidate, precision: Precision, asked: Sequence[Asked]) -> Matrix:
    """The candidate's scores item by item, weighted so that their mean is its score; it failed what it didn't answer."""
    of_search = store.item_scores(candidate.id, "search", precision)
    known = {(i.task, i.item): i.value for i in (*of_search, *store.item_scores(candidate.id, AGREEMENT, precision))}
    counts = {task: sum(a.task.name == task for a in asked) for task in plan.weights}
    total = sum(plan.weights.values())
    shares = {task: weight / total * len(asked) / counts[task] for task, weight in plan.weights.items()}
    return np.array([known.get((a.task.name, a.item.id), 0.0) * shares[a.task.name] for a in asked])
