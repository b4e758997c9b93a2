"""The run from its first reference to its verdict: a list of evaluations, each of which the store knows or not.

There is no state beside the store. A resumed run takes the same steps again, finds what is finished, and tells the
optimiser the same history; so it ends where an uninterrupted run would have ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial

from evomerge_core.genome.space import Space
from evomerge_core.paths.space import PathSpace
from evomerge_core.run.candidate.cached_evaluation import CachedEvaluator
from evomerge_core.run.candidate.candidate_loader import CandidateLoader
from evomerge_core.run.candidate.crew import Crew
from evomerge_core.run.candidate.held_model import MakeEvaluator
from evomerge_core.run.compare_precisions import Shipped, compare_precisions
from evomerge_core.run.generation.generations import search
from evomerge_core.run.generation.start import best_start
from evomerge_core.run.generation.winner import choose_winner
from evomerge_core.run.population.breed import breed
from evomerge_core.run.references import add_references
from evomerge_core.run.rehearsal import estimate_from_references
from evomerge_core.run.setup import Setup, StageSetup
from evomerge_core.run.store.facts import StageFacts, begin_phase, read_facts, write_facts
from evomerge_core.run.store.records import FOUNDER, Candidate
from evomerge_core.run.store.store import Store
from evomerge_core.run.watch import Watch
from evomerge_core.tasks.taste import Judge


def run(
    setup: Setup,
    store: Store,
    make_evaluator: MakeEvaluator,
    *,
    since: float | None = None,
    shipped: Callable[[], Shipped] | None = None,
    watch: Watch | None = None,
    judge: Judge | None = None,
    crew: Crew | None = None,
) -> Candidate:
    """Scores references, carries out each stage and tests what came of it; returns the last stage's winner.

    `since` (of `time.perf_counter`) is when the job began: opening the models counts as the run's time too. `shipped` says how
    candidates are scored in what ships where the search's precision is compared with it; by default, as in any precision.
    `watch` looks at what the run relies on before and after each candidate. `judge` votes on answers; without it people do.
    With a `crew` its workers score the candidates, and no evaluator is made.
    """
    plan = setup.plan
    _write_plan(setup, store)
    loader = CandidateLoader(setup, store, make_evaluator)
    evaluator = CachedEvaluator(plan, store, loader, time.perf_counter() if since is None else since, crew=crew)
    if watch is not None:
        evaluator.require_unchanged = watch.require_unchanged
    evaluator.judge = judge
    references = list(add_references(setup, store))
    known = [*references, *store.candidates(FOUNDER)]
    begin_phase(store, "references", len(known))
    evaluator.evaluate_all(known, "search", plan.precision)
    if read_facts(store).estimated is None:
        estimated = estimate_from_references(setup, store)
        write_facts(store, foretold=None if estimated is None else asdict(estimated))
    if crew is not None:
        shipped = partial(_shipped_by, crew, make_evaluator)
    compare_precisions(setup, store, evaluator, shipped or partial(Shipped, make_evaluator))
    winners = _carry_out(setup, store, evaluator)
    tested = list({candidate.id: candidate for candidate in (*references, *winners)}.values())
    begin_phase(store, "test", len(tested) * len(plan.precisions))
    for precision in reversed(plan.precisions) if plan.items("test") else ():
        evaluator.evaluate_all(tested, "test", precision)
    return winners[-1]


def _shipped_by(crew: Crew, make_evaluator: MakeEvaluator) -> Shipped:
    lacking = crew.lacks_for_shipped()
    return Shipped(None if lacking else make_evaluator, lacking)


def _write_plan(setup: Setup, store: Store) -> None:
    """Keeps what readers of the store can't know without opening the models."""
    plan = setup.plan
    totals = [stage.budget.evaluations for stage in plan.stages]
    write_facts(
        store,
        state="running",
        precision=plan.precision,
        precisions=plan.precisions,
        evaluations_total=None if None in totals else sum(total or 0 for total in totals),
        stages=[_stage_facts(setup, stage) for stage in setup.stages],
        items={split: plan.items(split) for split in plan.asked},
        weights=plan.weights,
    )


def _stage_facts(setup: Setup, stage: StageSetup) -> StageFacts:
    paths = isinstance(stage.space, PathSpace)
    facts: StageFacts = {
        "name": stage.name,
        "evolves": "paths" if paths else "weights",
        "tie_break": stage.search.tie_break,
    }
    if isinstance(stage.space, PathSpace):
        facts |= {"pool": stage.pool, "layers": setup.layers, "most_layers": stage.space.most_layers}
    return facts


def _carry_out(setup: Setup, store: Store, evaluator: CachedEvaluator) -> list[Candidate]:
    """Every stage in order; their winners. What the store says of a stage is the same each time it is carried out."""
    winners: list[Candidate] = []
    first = 0
    for stage in setup.stages:
        _begin_stage(setup, stage, store, first)
        if stage.search.breeds:
            first = breed(setup, stage, store, evaluator, first)
        else:
            first = search(setup.plan, stage, store, evaluator, first)
        winners.append(_winner(setup, stage, store, evaluator, winners))
    return winners


def _winner(
    setup: Setup, stage: StageSetup, store: Store, evaluator: CachedEvaluator, earlier: Sequence[Candidate]
) -> Candidate:
    """The stage's winner: chosen once, with what can be expected of it on new items, before the test is looked at."""
    known = read_facts(store).stage_winners
    if stage.index < len(known):
        return store.candidate(known[stage.index])
    choice = choose_winner(setup.plan, stage, store, evaluator, earlier)
    write_facts(
        store,
        stage_winners=[*known, choice.winner.id],
        winner=choice.winner.id,
        leading_parent=choice.leading_parent,
        expected=choice.expected,
    )
    store.add_event("chosen", candidate=choice.winner.id, **choice.expected.get(setup.plan.precision, {}))
    return choice.winner


def _begin_stage(setup: Setup, stage: StageSetup, store: Store, first: int) -> None:
    """Records once which generation a stage begins with, after how much of the run's active time, and where it starts."""
    weights = stage.space.dimensions if isinstance(stage.space, Space) else ()
    write_facts(store, dimensions=[asdict(dimension) for dimension in weights])
    facts = read_facts(store)
    if len(facts.stage_starts) == stage.index:
        # the first stage's minutes count from the run's start
        spent = facts.active_seconds if stage.index else 0.0
        # a search that an earlier version began keeps that version's start
        begun = any(candidate.stage == stage.index for candidate in store.candidates("search"))
        start = None if begun else best_start(setup, stage, store)
        write_facts(
            store,
            stage_starts=[*facts.stage_starts, first],
            stage_seconds=[*facts.stage_seconds, spent],
            starts=[*(facts.start_of(index) for index in range(stage.index)), start],
        )
