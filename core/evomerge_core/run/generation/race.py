"""A generation's race, carried out: which candidates are asked what, which are dropped when, and how far each one came.

The store is the only state: a rung that it holds is not run again, and the item scores alone decide what is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from evomerge_core.run.candidate.coherence_guard import Guard, objection
from evomerge_core.run.candidate.fitness import fitness, squeezed
from evomerge_core.run.candidate.scoring import Gate, evaluation_on, mean_loss
from evomerge_core.run.generation.broken_gate import gold_gate
from evomerge_core.run.plan import Asked, RunPlan
from evomerge_core.run.store.records import NEUTRAL, Candidate, Evaluation, ItemScore, Pass
from evomerge_core.run.store.store import Store
from evomerge_core.search.racing.evidence import Vector, capital
from evomerge_core.search.racing.result import RaceResult
from evomerge_core.search.racing.rungs import draw
from evomerge_core.tasks.task import weighted_mean

# Runs candidates on a rung of a generation's race: what they are asked, and the gate that each must pass before. They are taken
# one after the other, as they can be asked; the responses are in the store on return.
RunRungs = Callable[[Iterable[Candidate], int, int, Sequence[Asked], Gate | None], None]
# One item of each task: what all candidates are compared on, place by place; and the answers of one of them there.
Place = tuple[Asked, ...]
AnsweredPlace = tuple[ItemScore, ...]


@dataclass(frozen=True)
class RaceSettings:
    """How the races of a search are run. `sizes` are places after each rung; `error` is the chance that a candidate as good as
    the better half is dropped; `name` sets one search of a run apart from another's. What is answered is kept under `split`;
    whatever that is called, the items are the search's."""

    plan: RunPlan
    store: Store
    sizes: tuple[int, ...]
    error: float
    break_ties: bool
    guard: Guard | None
    name: str = ""
    split: str = "search"


@dataclass(frozen=True)
class CandidateProgress:
    """How far a candidate has come: its passes, rung by rung, and what it answered, place by place."""

    candidate: Candidate
    passes: tuple[Pass, ...]
    answers: tuple[AnsweredPlace, ...]
    mark: str | None

    @property
    def failure(self) -> Pass | None:
        """The pass that failed."""
        return next((done for done in self.passes if done.failure is not None), None)

    @property
    def items(self) -> list[ItemScore]:
        """Everything that it answered."""
        return list(chain.from_iterable(self.answers))


def race(
    settings: RaceSettings,
    generation: int,
    candidates: Sequence[Candidate],
    better: int,
    run_rungs: RunRungs,
    may_start: Callable[[int], bool],
) -> list[RaceResult] | None:
    """Races the candidates for the `better` best places; the results in their order, or None when the race was cut short.

    `may_start`, with the number of items, is asked before anything that isn't in the store yet. Every candidate that ran a
    rung has an evaluation afterwards.
    """
    places = _places(settings, generation)
    running, progress = list(candidates), [CandidateProgress(c, (), (), None) for c in candidates]
    cut = False

    def due(candidates: Sequence[Candidate], rung: int, items: int) -> Iterator[Candidate]:
        for candidate in candidates:
            if _rung(settings, generation, candidate, rung) is None:
                if not may_start(items):
                    return
                yield candidate

    for rung, size in enumerate(settings.sizes):
        start = settings.sizes[rung - 1] if rung else 0
        gate = gold_gate(settings.plan, settings.store, _flat(places), settings.error) if rung == 0 else None
        asked = _flat(places[start:size])
        run_rungs(due(running, rung, len(asked)), generation, rung, asked, gate)
        cut = any(_rung(settings, generation, candidate, rung) is None for candidate in running)
        progress = [_progress(settings, generation, candidate, places) for candidate in candidates]
        running = [p.candidate for p in progress if p.candidate in running and not p.failure and not p.mark]
        if cut or rung == len(settings.sizes) - 1 or len(running) <= better:
            break
        against = evidence(settings.plan, [p.answers for p in progress], better, break_ties=settings.break_ties)
        running = [c for c in running if against[candidates.index(c)] < 1.0 / settings.error]
    for done in progress:
        _save(settings, done)
    return None if cut else [_result(settings, p, p.candidate in running) for p in progress]


def asked_in(settings: RaceSettings, generation: int) -> list[Asked]:
    """What a generation's race asks whoever runs it to the end, in its order."""
    return _flat(_places(settings, generation))


def _flat(places: Sequence[Place]) -> list[Asked]:
    return list(chain.from_iterable(places))


def _places(settings: RaceSettings, generation: int) -> list[Place]:
    """The generation's items, as many as the last rung has."""
    plan, of_task = settings.plan, []
    for task in plan.tasks:
        known = {asked.item.id: asked for asked in plan.asked["search"] if asked.task is task}
        names = draw(list(known), settings.sizes[-1], key=f"{plan.seed}|{settings.name}", generation=generation)
        of_task.append([known[name] for name in names])
    return list(zip(*of_task, strict=True))


def _progress(settings: RaceSettings, generation: int, candidate: Candidate, places: Sequence[Place]) -> CandidateProgress:
    store, precision = settings.store, settings.plan.precision
    found = [_rung(settings, generation, candidate, rung) for rung in range(len(settings.sizes))]
    passes = tuple(done for done in found if done is not None)
    known = {(i.task, i.item): i for i in store.item_scores(candidate.id, settings.split, precision)}
    answered = settings.sizes[len(passes) - 1] if passes and passes[-1].failure is None else 0
    answers = tuple(tuple(known[a.task.name, a.item.id] for a in place) for place in places[:answered])
    mark = None
    if settings.guard is not None and answers:
        neutral = store.item_scores(candidate.id, NEUTRAL, precision)
        mark = objection(settings.guard, list(chain.from_iterable(answers)), neutral)
    return CandidateProgress(candidate, passes, answers, mark)


def _rung(settings: RaceSettings, generation: int, candidate: Candidate, rung: int) -> Pass | None:
    passes = settings.store.passes_of(candidate.id, settings.split, settings.plan.precision)
    return next((done for done in passes if (done.generation, done.rung) == (generation, rung)), None)


def evidence(plan: RunPlan, answers: Sequence[Sequence[AnsweredPlace]], better: int, *, break_ties: bool) -> Vector:
    """How strongly each candidate's answers, place by place, speak against its being as good as the `better` ones that lead:
    its capital, as in `search/racing/evidence.py`; float64 [candidates]."""
    width = max(len(own) for own in answers)
    values = np.full((len(answers), width), np.nan)
    points = values.copy()
    for row, own in enumerate(answers):
        for column, place in enumerate(own):
            values[row, column] = place_value(plan, place)
            points[row, column] = values[row, column] - (_tie_break(place) / (width + 1) if break_ties else 0.0)
    return capital(values, points, better)


def place_value(plan: RunPlan, place: AnsweredPlace) -> float:
    """The score at a place, in 0..1: that of its items, weighted by task."""
    return weighted_mean({i.task: i.value for i in place}, plan.weights)


def _tie_break(place: AnsweredPlace) -> float:
    """Below 1, so that over all places together it never outweighs one correct answer."""
    loss = mean_loss([i.loss for i in place])
    return 0.0 if loss is None else squeezed(loss)


def _result(settings: RaceSettings, progress: CandidateProgress, survived: bool) -> RaceResult:
    evaluation = _evaluation(settings, progress)
    rung = len(progress.passes) - 1
    if evaluation.score is None:
        # the loss of its correct answers ranks a broken candidate behind all that wrote something
        worth = None if evaluation.loss is None else -squeezed(evaluation.loss)
        return RaceResult(worth, rung - 1, dropped=True)
    worth = fitness(evaluation, len(progress.items), break_ties=settings.break_ties, raced=True)
    return RaceResult(worth, rung, dropped=not survived, incoherent=progress.mark is not None)


def _evaluation(settings: RaceSettings, progress: CandidateProgress) -> Evaluation:
    seconds = sum(done.seconds for done in progress.passes)
    failed = progress.failure
    if failed is not None:
        return Evaluation(None, failed.loss, failed.failure, seconds, sum(done.tokens for done in progress.passes))
    return evaluation_on(settings.plan, progress.items, seconds)


def _save(settings: RaceSettings, progress: CandidateProgress) -> None:
    """The candidate's evaluation on what it was asked; its item scores are in the store already."""
    candidate, precision, store = progress.candidate, settings.plan.precision, settings.store
    if progress.passes and store.evaluation(candidate.id, settings.split, precision) is None:
        evaluation, place = _evaluation(settings, progress), candidate.twin or candidate.id
        store.save_evaluation(place, settings.split, precision, evaluation, (), mark=progress.mark)
