"""The run from its first reference to its verdict: a list of evaluations, each of which the store knows or not.

There is no state beside the store. A resumed run walks the same way again, finds what is finished, and tells the
optimiser the same history; so it ends where an uninterrupted run would have ended.
"""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from evomerge_core.errors import InputError
from evomerge_core.merging.config import MergeConfig
from evomerge_core.recipe.schema import Precision
from evomerge_core.run.control import obey
from evomerge_core.run.fitness import fitness
from evomerge_core.run.scoring import score_candidate
from evomerge_core.run.setup import Setup
from evomerge_core.run.store import Candidate, Evaluation, Store
from evomerge_core.search.cma_es import CmaEs
from evomerge_core.search.optimizer import Optimizer
from evomerge_core.tasks.exchange import Evaluator

FINALISTS = 4
UNIFORM_WEIGHTS = (0.5, 0.75, 1.0)

# An evaluator in a precision, with the recorded number of rows to answer together, or None to fit it to the memory.
MakeEvaluator = Callable[[Precision, int | None], Evaluator]


@dataclass
class Bench:
    """The one evaluator that is in memory, made anew when another precision is asked for."""

    store: Store
    make: MakeEvaluator
    present: Evaluator | None = None

    def evaluator(self, precision: Precision) -> Evaluator:
        if self.present is None or self.present.precision != precision:
            self.present = None  # two models at once may not fit
            self.present = self.make(precision, self.store.fact(f"batch_size_{precision}"))
        return self.present


def run(setup: Setup, store: Store, make_evaluator: MakeEvaluator) -> Candidate:
    """Scores references, searches, re-scores the finalists and tests the winner, which is returned."""
    store.set_facts(state="running", precision=setup.precision, evaluations_total=setup.recipe.budget.evaluations)
    bench = Bench(store, make_evaluator)
    evaluated = _Evaluated(setup, store, bench)
    references = list(add_references(setup, store))
    _phase(store, "references", len(references))
    for candidate in references:
        evaluated(candidate, "search", setup.precision)
    _search(setup, store, evaluated)
    winner = _final(setup, store, evaluated)
    _phase(store, "test", (1 + len(references)) * len(setup.precisions))
    for precision in reversed(setup.precisions):
        for candidate in (*references, winner):
            evaluated(candidate, "test", precision)
    return winner


def add_references(setup: Setup, store: Store) -> Iterator[Candidate]:
    """The parents, then the uniform merges: what a child must beat, scored on the same items."""
    for label in setup.parents:
        yield store.add_candidate("parent", label)
    for weight in UNIFORM_WEIGHTS:
        yield store.add_candidate("uniform", f"uniform {weight:g}", genome=setup.space.uniform(weight).tolist())


def config_of(setup: Setup, candidate: Candidate) -> MergeConfig:
    """The fixed merge that a candidate stands for."""
    if candidate.kind == "parent":
        return setup.space.source_config(setup.parents[candidate.label])
    assert candidate.genome is not None
    return setup.space.to_config(np.array(candidate.genome))


@dataclass
class _Evaluated:
    """Evaluates a candidate, or finds its evaluation in the store.

    `since` is where the clock of the run's active time stands: all time counts but that of pauses.
    """

    setup: Setup
    store: Store
    bench: Bench
    since: float = field(default_factory=time.perf_counter)

    def __call__(self, candidate: Candidate, split: str, precision: Precision) -> Evaluation:
        known = self.store.evaluation(candidate.id, split, precision)
        if known is not None:
            return known
        waited = obey(self.store)
        config = config_of(self.setup, candidate)
        evaluator = self.bench.evaluator(precision)
        evaluation, items = score_candidate(self.setup, config, split, evaluator)
        now = time.perf_counter()
        facts = {
            "active_seconds": self.store.fact("active_seconds", 0.0) + now - self.since - waited,
            f"batch_size_{precision}": evaluator.batch_size,
        }
        self.store.save_evaluation(candidate.twin or candidate.id, split, precision, evaluation, items, **facts)
        self.since = now
        return evaluation


def _search(setup: Setup, store: Store, evaluated: _Evaluated) -> None:
    """Generations until the budget is spent; a generation cut short by it is not told."""
    recipe, space = setup.recipe, setup.space
    optimizer: Optimizer = CmaEs(
        space.low,
        space.high,
        space.start,
        sigma=recipe.search.sigma,
        population=recipe.search.population,
        seed=recipe.seed,
    )
    limit = math.inf if recipe.budget.evaluations is None else recipe.budget.evaluations
    _phase(store, "search", recipe.budget.evaluations)
    done = 0
    for generation in itertools.count():
        told: list[float | None] = []
        genomes = optimizer.ask()
        for position, genome in enumerate(genomes):
            candidate = _asked(store, generation, position, genome.tolist())
            known = store.evaluation(candidate.id, "search", setup.precision)
            if known is None and (done >= limit or _out_of_time(setup, store)):
                return
            told.append(_fitness(setup, evaluated(candidate, "search", setup.precision), "search"))
            done += 1
        optimizer.tell(told)
        store.set_facts(generation=generation + 1, sigma=optimizer.sigma, mean=optimizer.mean.tolist())


def _asked(store: Store, generation: int, position: int, genome: Sequence[float]) -> Candidate:
    label = f"g{generation + 1}.{position + 1}"
    twin = store.find_genome(genome)
    if twin is not None and twin.label == label:
        return twin
    candidate = store.add_candidate(
        "search", label, generation=generation, position=position, genome=genome, twin=None if twin is None else twin.id
    )
    if list(candidate.genome or ()) != list(genome):
        raise InputError(
            f"the optimiser asks other questions than the stored ones at {label}: resume with the numpy and cma versions "
            "that the run began with, or start a new run"
        )
    return candidate


def _out_of_time(setup: Setup, store: Store) -> bool:
    """Whether one more candidate would leave too little of the minutes for the finalists and the test.

    The first candidate is always scored: a search without any has no winner.
    """
    minutes = setup.recipe.budget.minutes
    scored = store.scored("search", setup.precision)
    if minutes is None or all(c.kind != "search" for c, _ in scored):
        return False
    per_item = statistics.median(e.seconds for _, e in scored) / setup.items("search")
    references = len(store.candidates("parent")) + len(store.candidates("uniform"))
    items = FINALISTS * setup.items("validation") + (1 + references) * setup.items("test")
    ahead = per_item * (items * len(setup.precisions) + setup.items("search"))
    return bool(store.fact("active_seconds", 0.0) + ahead > minutes * 60)


def _final(setup: Setup, store: Store, evaluated: _Evaluated) -> Candidate:
    """Re-scores the finalists on validation items in every precision; the best over all those items wins.

    The best of many candidates on few items is partly luck, and 4 bits are not what is shipped: both are put right
    here, on items that the search has not seen, before the test is looked at.
    """
    finalists = _finalists(setup, store)
    if not setup.items("validation"):
        store.set_facts(winner=finalists[0].id)
        return finalists[0]
    _phase(store, "validation", len(finalists) * len(setup.precisions))
    totals = dict.fromkeys((c.id for c in finalists), 0.0)
    for precision in setup.precisions:
        for candidate in finalists:
            evaluation = evaluated(candidate, "validation", precision)
            totals[candidate.id] += _fitness(setup, evaluation, "validation") or 0.0
    for candidate in finalists:
        search = evaluated(candidate, "search", setup.precision)
        weight = setup.items("search") / setup.items("validation")
        totals[candidate.id] += weight * (_fitness(setup, search, "search") or 0.0)
    winner = max(finalists, key=lambda c: (totals[c.id], -c.id))
    store.set_facts(winner=winner.id)
    return winner


def _finalists(setup: Setup, store: Store) -> list[Candidate]:
    ranked = [
        (f, -c.id, c)
        for c, e in store.scored("search", setup.precision)
        if c.kind == "search" and (f := _fitness(setup, e, "search")) is not None
    ]
    if not ranked:
        raise InputError("no candidate of the search could be scored: see the reasons with `evomerge-tui status`")
    return [c for _, _, c in sorted(ranked, key=lambda r: r[:2], reverse=True)[:FINALISTS]]


def _fitness(setup: Setup, evaluation: Evaluation, split: str) -> float | None:
    return fitness(evaluation, setup.items(split), break_ties=setup.recipe.search.tie_break == "log_likelihood")


def _phase(store: Store, name: str, total: int | None) -> None:
    if store.fact("phase") != name:
        store.set_facts(phase=name, phase_total=total)
        store.add_event("phase", name=name, total=total)
