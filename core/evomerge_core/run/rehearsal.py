"""A run's cost, measured before it: one candidate is merged, loaded and asked a little, in each precision."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from evomerge_core.recipe.schema import Precision
from evomerge_core.run.candidate.candidate_loader import Bench, MakeEvaluator
from evomerge_core.run.candidate.coherence_guard import questions
from evomerge_core.run.candidate.scoring import Gate, Responses, ask_candidate
from evomerge_core.run.generation.broken_gate import GATE_ITEMS, pays
from evomerge_core.run.generation.finalists import FINALISTS
from evomerge_core.run.generation.judging import stage_sizes
from evomerge_core.run.references import count_references
from evomerge_core.run.setup import Asked, Setup
from evomerge_core.run.store.folder import STORE
from evomerge_core.run.store.store import Candidate, Pass, Store
from evomerge_core.run.timing.cost import NOTHING, Costs, Estimate, Work, foretell, foretell_all, learn, work
from evomerge_core.run.timing.deadline import learn_costs, rows_together

_SIZES = (4, 24)  # items that are asked: two sizes tell what a batch costs whatever its size
_WRITING = 3  # merges that writing the winner takes


@dataclass(frozen=True)
class Rehearsal:
    """`costs` by precision; `searched` are the seconds and tokens of one candidate of each stage's search; `build_seconds`
    those of making a model ready, once a precision; `rows` are answered together."""

    costs: Mapping[str, Costs]
    searched: tuple[Estimate, ...]
    build_seconds: float
    rows: int | None


def rehearse(setup: Setup, make_evaluator: MakeEvaluator) -> Rehearsal:
    """Scores the merge that each search starts from. Takes about as long as a few candidates of the run."""
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(Path(scratch) / STORE, create=True)
        try:
            return _rehearse(setup, store, make_evaluator)
        finally:
            store.close()


def foretell_run(setup: Setup, rehearsed: Rehearsal) -> dict[str, Estimate]:
    """What each part of the run will take: references, search, validation, test, and the rest; a search ends with its
    minutes at the latest."""
    costs, usual = rehearsed.costs, rehearsed.costs[setup.precision]
    references = count_references(setup)

    def asked(candidates: int, split: str, precisions: Sequence[str]) -> Estimate:
        ahead = work(candidates, setup.items(split), rehearsed.rows)
        return foretell_all(costs, dict.fromkeys(precisions, ahead))

    tested = references + len(setup.stages)
    finals = asked(FINALISTS * len(setup.stages), "validation", setup.precisions)
    parts = {
        "references": asked(references, "search", [setup.precision]),
        "validation": finals if setup.items("validation") else NOTHING,
        "test": asked(tested, "test", setup.precisions),
    }
    models = 1 + 2 * (len(setup.precisions) - 1)
    rest = Estimate(models * rehearsed.build_seconds + _WRITING * usual.load, 0.0)
    return {**parts, "search": _search(setup, rehearsed, parts, rest), "rest": rest}


def foretell_from(setup: Setup, store: Store) -> Estimate | None:
    """What a run will take in all, from what its references took; None where none could be scored."""
    costs, rows = learn_costs(setup, store), rows_together(store, setup.precision)
    if not costs:
        return None
    searched = tuple(_by_costs(setup, index, costs[setup.precision], rows) for index in range(len(setup.stages)))
    parts = foretell_run(setup, Rehearsal(costs, searched, store.fact("build_seconds", 0.0), rows))
    return sum(parts.values(), NOTHING)


def _by_costs(setup: Setup, index: int, costs: Costs, rows: int | None) -> Estimate:
    """One candidate of a stage's search that nobody drops."""
    sizes, count = stage_sizes(setup, setup.stages[index]), len(setup.tasks)
    steps = [setup.items("search")] if sizes is None else [count * (b - a) for a, b in pairwise((0, *sizes))]
    return sum((foretell(costs, work(1, step, rows)) for step in steps), NOTHING)


def _search(setup: Setup, rehearsed: Rehearsal, parts: Mapping[str, Estimate], rest: Estimate) -> Estimate:
    seconds = tokens = 0.0
    others = rest.seconds + sum(part.seconds for part in parts.values())
    for stage, one in zip(setup.stages, rehearsed.searched, strict=True):
        budget = stage.budget
        share = others / len(setup.stages)
        wanted = float("inf") if budget.evaluations is None else budget.evaluations * one.seconds
        allowed = float("inf") if budget.minutes is None else max(one.seconds, 60 * budget.minutes - share)
        spent = min(wanted, allowed)
        seconds += spent
        tokens += one.tokens * spent / one.seconds
    return Estimate(seconds, tokens)


def _rehearse(setup: Setup, store: Store, make_evaluator: MakeEvaluator) -> Rehearsal:
    bench = Bench(setup, store, make_evaluator)
    store.set_facts(stage_starts=[0])
    start = setup.stages[0].space.start
    candidate = store.add_candidate("search", "rehearsal", generation=0, genome=start.tolist())
    costs: dict[str, Costs] = {}
    built: list[float] = []
    rows: int | None = None
    searched: list[Estimate] = []
    for precision in setup.precisions:
        since = time.perf_counter()
        bench.seat(candidate, "validation", precision)
        built.append(time.perf_counter() - since)
        _ask(bench, candidate, precision, setup.asked["search"][:1])  # compiles kernels, maps files
        passes = [_pass(_ask(bench, candidate, precision, _some(setup, size))) for size in _SIZES]
        rows = rows or bench.seat(candidate, "validation", precision).evaluator.batch_size
        found = learn(passes, rows)
        if found is None:
            reason = next(one.failure for one in passes)
            raise ValueError(f"the merge that the search starts from can't be scored: {reason}")
        costs[precision] = found
        if precision == setup.precision:
            searched = [_searched(setup, bench, candidate, index, found) for index in range(len(setup.stages))]
    return Rehearsal(costs, tuple(searched), max(built), rows)


def _searched(setup: Setup, bench: Bench, candidate: Candidate, index: int, costs: Costs) -> Estimate:
    """One candidate of a stage's search; in a race everybody runs to the end, with the gate and the neutral texts."""
    sizes = stage_sizes(setup, setup.stages[index])
    count = len(setup.tasks)
    if sizes is None:
        asked, gate = _some(setup, setup.items("search")), None
    else:
        asked = _some(setup, sizes[0] * count)
        gate = Gate(asked[:GATE_ITEMS], lambda _: None) if pays(asked[:GATE_ITEMS]) else None
    seat = bench.seat(candidate, "search", setup.precision)
    heard = ask_candidate(seat, asked, neutral=questions(setup), gate=gate)
    one = Estimate(heard.seconds, float(sum(item.tokens for item in heard.items)))
    later = [] if sizes is None else [after - before for before, after in pairwise(sizes)]
    return sum((foretell(costs, Work(1, 1, step * count)) for step in later), one)


def _ask(bench: Bench, candidate: Candidate, precision: Precision, asked: Sequence[Asked]) -> Responses:
    return ask_candidate(bench.seat(candidate, "validation", precision), asked)


def _some(setup: Setup, count: int) -> tuple[Asked, ...]:
    """Items of the search, of all tasks alike."""
    asked = setup.asked["search"]
    step = max(1, len(asked) // max(1, count))
    return asked[::step][:count] if len(asked) >= count else asked


def _pass(heard: Responses) -> Pass:
    tokens = sum(item.tokens for item in heard.items)
    return Pass("search", "", len(heard.items), tokens, heard.load_seconds, heard.seconds, failure=heard.failure)
