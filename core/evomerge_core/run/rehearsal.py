"""A run's cost, measured before it starts: a candidate is merged, loaded and asked a few items, in each precision."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from evomerge_core.recipe.schema import SHIPPED, Precision
from evomerge_core.run.agreement import DRAWN, MERGES, compared_items
from evomerge_core.run.candidate.candidate_loader import CandidateLoader
from evomerge_core.run.candidate.coherence_guard import questions
from evomerge_core.run.candidate.held_model import MakeEvaluator
from evomerge_core.run.candidate.scoring import Gate, Responses, ask_candidate
from evomerge_core.run.generation.broken_gate import GATE_ITEMS, pays
from evomerge_core.run.generation.finalists import AVERAGED
from evomerge_core.run.generation.judging import stage_sizes
from evomerge_core.run.plan import Asked, RunPlan, StagePlan
from evomerge_core.run.references import count_references
from evomerge_core.run.run_folder.names import STORE
from evomerge_core.run.setup import Setup
from evomerge_core.run.store.facts import batch_size, read_facts
from evomerge_core.run.store.records import Candidate, Pass
from evomerge_core.run.store.store import Store
from evomerge_core.run.timing.cost import NOTHING, Costs, TimeEstimate, Work, estimate, estimate_all, learn, work
from evomerge_core.run.timing.deadline import learn_costs

_SIZES = (4, 24)  # items that are asked: two sizes tell what a batch costs whatever its size
_WRITING = 3  # merges that writing the winner takes


@dataclass(frozen=True)
class Rehearsal:
    """`costs` by precision; `searched` are the seconds and tokens of one candidate of each stage's search; `build_seconds`
    those of making a model ready, once a precision; `rows` are answered together."""

    costs: Mapping[str, Costs]
    searched: tuple[TimeEstimate, ...]
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


def estimate_run(setup: Setup, rehearsed: Rehearsal) -> dict[str, TimeEstimate]:
    """What each part of the run will take: references, comparing precisions (`agreement`), search, validation, test, and the
    rest; a search ends when its minutes are over at the latest."""
    plan, references = setup.plan, count_references(setup)
    costs, usual = rehearsed.costs, rehearsed.costs[plan.precision]

    def asked(candidates: int, items: int, precisions: Sequence[str]) -> TimeEstimate:
        return estimate_all(costs, dict.fromkeys(precisions, work(candidates, items, rehearsed.rows)))

    tested = references + len(plan.stages)
    final = [asked(len(plan.stages) * some, items, plan.precisions) for some, items in plan.final_items(references)]
    parts = {
        "references": asked(references, plan.items("search"), [plan.precision]),
        "agreement": _comparing(plan, references, rehearsed),
        "validation": sum(final, NOTHING),
        "test": asked(tested, plan.items("test"), plan.precisions),
    }
    models = 1 + 2 * (len(plan.precisions) - 1 + plan.compared)
    rest = TimeEstimate(models * rehearsed.build_seconds + _WRITING * usual.load, 0.0)
    return {**parts, "search": _search(plan, rehearsed, parts, rest), "rest": rest}


def estimate_from_references(setup: Setup, store: Store) -> TimeEstimate | None:
    """What a run will take in all, from what its references took; None where none could be scored."""
    plan = setup.plan
    costs, rows = learn_costs(plan, store), batch_size(store, plan.precision)
    if not costs:
        return None
    searched = tuple(_by_costs(plan, stage, costs[plan.precision], rows) for stage in plan.stages)
    parts = estimate_run(setup, Rehearsal(costs, searched, read_facts(store).build_seconds, rows))
    return sum(parts.values(), NOTHING)


def _by_costs(plan: RunPlan, stage: StagePlan, costs: Costs, rows: int | None) -> TimeEstimate:
    """A candidate of a stage's search that is never dropped."""
    sizes, count = stage_sizes(plan, stage), len(plan.tasks)
    steps = [plan.items("search")] if sizes is None else [count * (b - a) for a, b in pairwise((0, *sizes))]
    return sum((estimate(costs, work(1, step, rows)) for step in steps), NOTHING)


def _comparing(plan: RunPlan, references: int, rehearsed: Rehearsal) -> TimeEstimate:
    """Comparing the search's precision with bf16: in the first, the equal-weight merges' scores are known."""
    items = compared_items(plan, references)
    if not items:
        return NOTHING
    merges: dict[str, int] = {plan.precision: DRAWN, SHIPPED: MERGES}
    ahead = {precision: work(count, items, rehearsed.rows) for precision, count in merges.items()}
    return estimate_all(rehearsed.costs, ahead)


def _search(plan: RunPlan, rehearsed: Rehearsal, parts: Mapping[str, TimeEstimate], rest: TimeEstimate) -> TimeEstimate:
    seconds = tokens = 0.0
    others = rest.seconds + sum(part.seconds for part in parts.values())
    for stage, candidate in zip(plan.stages, rehearsed.searched, strict=True):
        budget, apart = stage.budget, _scored_apart(plan, stage)
        share = others / len(plan.stages) + apart * candidate.seconds
        wanted = float("inf") if budget.evaluations is None else budget.evaluations * candidate.seconds
        allowed = float("inf") if budget.minutes is None else max(candidate.seconds, 60 * budget.minutes - share)
        spent = min(wanted, allowed)
        seconds += spent + apart * candidate.seconds
        tokens += candidate.tokens * (spent / candidate.seconds + apart)
    return TimeEstimate(seconds, tokens)


def _scored_apart(plan: RunPlan, stage: StagePlan) -> int:
    """Finalists that a search without races did not make, and that are asked its items when it is over."""
    if stage.search.breeds or stage_sizes(plan, stage) is not None or not plan.items("validation"):
        return 0
    return 1 + (len(AVERAGED) if stage.averages else 0)


def _rehearse(setup: Setup, store: Store, make_evaluator: MakeEvaluator) -> Rehearsal:
    plan, loader = setup.plan, CandidateLoader(setup, store, make_evaluator)
    start = setup.stages[0].space.start
    candidate = store.add_candidate("search", "rehearsal", generation=0, genome=start.tolist(), stage=0)
    costs: dict[str, Costs] = {}
    built: list[float] = []
    rows: int | None = None
    searched: list[TimeEstimate] = []
    for precision in plan.precisions:
        since = time.perf_counter()
        loader.slot(candidate, "validation", precision)
        built.append(time.perf_counter() - since)
        _ask(loader, candidate, precision, plan.asked["search"][:1])  # compiles kernels, maps files
        passes = [_pass(_ask(loader, candidate, precision, _some(plan, size))) for size in _SIZES]
        rows = rows or loader.slot(candidate, "validation", precision).evaluator.batch_size
        found = learn(passes, rows)
        if found is None:
            reason = next(done.failure for done in passes)
            raise ValueError(f"the search's starting merge can't be scored: {reason}")
        costs[precision] = found
        if precision == plan.precision:
            searched = [_searched(plan, stage, loader, candidate, found) for stage in plan.stages]
    return Rehearsal(costs, tuple(searched), max(built), rows)


def _searched(plan: RunPlan, stage: StagePlan, loader: CandidateLoader, candidate: Candidate, costs: Costs) -> TimeEstimate:
    """A candidate of a stage's search, in a race one that runs to the end, with the gate and the neutral texts."""
    sizes, count = stage_sizes(plan, stage), len(plan.tasks)
    if sizes is None:
        asked, gate = _some(plan, plan.items("search")), None
    else:
        asked = _some(plan, sizes[0] * count)
        gated = asked[:GATE_ITEMS]
        gate = Gate(tuple(a.question for a in gated), lambda _: None) if pays(gated) else None
    slot = loader.slot(candidate, "search", plan.precision)
    responses = ask_candidate(slot, asked, neutral=questions(plan), gate=gate)
    first = TimeEstimate(responses.seconds, float(sum(item.tokens for item in responses.items)))
    later = [] if sizes is None else [after - before for before, after in pairwise(sizes)]
    return sum((estimate(costs, Work(1, 1, step * count)) for step in later), first)


def _ask(loader: CandidateLoader, candidate: Candidate, precision: Precision, asked: Sequence[Asked]) -> Responses:
    return ask_candidate(loader.slot(candidate, "validation", precision), asked)


def _some(plan: RunPlan, count: int) -> tuple[Asked, ...]:
    """Items of the search, of all tasks alike."""
    asked = plan.asked["search"]
    step = max(1, len(asked) // max(1, count))
    return asked[::step][:count] if len(asked) >= count else asked


def _pass(responses: Responses) -> Pass:
    tokens, items = sum(item.tokens for item in responses.items), len(responses.items)
    return Pass("search", "", items, tokens, responses.load_seconds, responses.seconds, failure=responses.failure)
