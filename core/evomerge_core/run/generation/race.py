"""A generation's race, carried out: who is asked what, who is dropped when, and where each stands in the end.

The store is the only state: a rung that it holds is not run again, and who is dropped follows from the item scores alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from evomerge_core.run.candidate.coherence_guard import Guard, objection
from evomerge_core.run.candidate.fitness import fitness, squeezed
from evomerge_core.run.candidate.scoring import Gate, evaluation_on, mean_loss
from evomerge_core.run.generation.broken_gate import gold_gate
from evomerge_core.run.setup import Asked, Setup
from evomerge_core.run.store.store import NEUTRAL, Candidate, Evaluation, ItemScore, Pass, Store
from evomerge_core.search.racing.evidence import Vector, capital
from evomerge_core.search.racing.rungs import draw
from evomerge_core.search.racing.standing import Standing
from evomerge_core.tasks.combination import weighted_mean

# Runs a candidate on a rung: what it is asked, and what it must pass before. What came of it is in the store on return.
RunRung = Callable[[Candidate, int, Sequence[Asked], Gate | None], None]
# One item of each task: what all candidates are compared on, place by place.
Place = tuple[Asked, ...]


@dataclass(frozen=True)
class Track:
    """How the races of a search are run. `sizes` are places after each rung; `error` is the chance that a candidate as good as
    the better half is dropped; `name` sets one search of a run apart from another's."""

    setup: Setup
    store: Store
    sizes: tuple[int, ...]
    error: float
    break_ties: bool
    guard: Guard | None
    name: str = ""


@dataclass(frozen=True)
class _Way:
    """How far a candidate has come: its passes, rung by rung, and what it answered, place by place."""

    candidate: Candidate
    passes: tuple[Pass, ...]
    answers: tuple[tuple[ItemScore, ...], ...]
    mark: str | None

    @property
    def failure(self) -> Pass | None:
        return next((one for one in self.passes if one.failure is not None), None)

    @property
    def items(self) -> list[ItemScore]:
        return list(chain.from_iterable(self.answers))


def race(
    track: Track,
    generation: int,
    candidates: Sequence[Candidate],
    better: int,
    run_rung: RunRung,
    may_start: Callable[[int], bool],
) -> list[Standing] | None:
    """Races the candidates for the `better` best places; where each stands, in their order, or None when the race was cut.

    `may_start`, with the number of items, is asked before anything that isn't in the store yet. Whoever ran a rung has an
    evaluation afterwards.
    """
    places = _places(track, generation)
    running, ways = list(candidates), [_Way(c, (), (), None) for c in candidates]
    cut = False
    for rung, size in enumerate(track.sizes):
        start = track.sizes[rung - 1] if rung else 0
        gate = gold_gate(track.setup, track.store, list(chain.from_iterable(places)), track.error) if rung == 0 else None
        asked = list(chain.from_iterable(places[start:size]))
        for candidate in running:
            if track.store.rung(candidate.id, track.setup.precision, generation, rung) is None:
                cut = cut or not may_start(len(asked))
                if cut:
                    break
                run_rung(candidate, rung, asked, gate)
        ways = [_way(track, generation, c, places) for c in candidates]
        running = [way.candidate for way in ways if way.candidate in running and not way.failure and not way.mark]
        if cut or rung == len(track.sizes) - 1 or len(running) <= better:
            break
        evidence = _evidence(track, ways, better)
        running = [c for c in running if evidence[candidates.index(c)] < 1.0 / track.error]
    for way in ways:
        _save(track, way)
    return None if cut else [_standing(track, way, way.candidate in running) for way in ways]


def _places(track: Track, generation: int) -> list[Place]:
    """The generation's items, as many as the last rung has."""
    of_task = []
    for task in track.setup.tasks:
        known = {asked.item.id: asked for asked in track.setup.asked["search"] if asked.task is task}
        names = draw(list(known), track.sizes[-1], key=f"{track.setup.recipe.seed}|{track.name}", generation=generation)
        of_task.append([known[name] for name in names])
    return list(zip(*of_task, strict=True))


def _way(track: Track, generation: int, candidate: Candidate, places: Sequence[Place]) -> _Way:
    store, precision = track.store, track.setup.precision
    found = [store.rung(candidate.id, precision, generation, rung) for rung in range(len(track.sizes))]
    passes = tuple(one for one in found if one is not None)
    known = {(i.task, i.item): i for i in store.item_scores(candidate.id, "search", precision)}
    answered = track.sizes[len(passes) - 1] if passes and passes[-1].failure is None else 0
    answers = tuple(tuple(known[a.task.name, a.item.id] for a in place) for place in places[:answered])
    mark = None
    if track.guard is not None and answers:
        neutral = store.item_scores(candidate.id, NEUTRAL, precision)
        mark = objection(track.guard, list(chain.from_iterable(answers)), neutral)
    return _Way(candidate, passes, answers, mark)


def _evidence(track: Track, ways: Sequence[_Way], better: int) -> Vector:
    """How strongly each candidate's answers speak against its being as good as the better half."""
    width = max(len(way.answers) for way in ways)
    values = np.full((len(ways), width), np.nan)
    points = values.copy()
    for row, way in enumerate(ways):
        for column, place in enumerate(way.answers):
            values[row, column] = _combined(track.setup, place)
            points[row, column] = values[row, column] - (_tie_break(place) / (width + 1) if track.break_ties else 0.0)
    return capital(values, points, better)


def _combined(setup: Setup, place: Sequence[ItemScore]) -> float:
    return weighted_mean({i.task: i.value for i in place}, {task.name: task.weight for task in setup.tasks})


def _tie_break(place: Sequence[ItemScore]) -> float:
    """Below 1, so that over all places together it never outweighs one right answer."""
    loss = mean_loss([i.loss for i in place])
    return 0.0 if loss is None else squeezed(loss)


def _standing(track: Track, way: _Way, survived: bool) -> Standing:
    evaluation = _evaluation(track, way)
    rung = len(way.passes) - 1
    if evaluation.score is None:
        # its gold answers rank a broken candidate behind all that wrote something
        worth = None if evaluation.loss is None else -squeezed(evaluation.loss)
        return Standing(worth, rung - 1, dropped=True)
    worth = fitness(evaluation, len(way.items), break_ties=track.break_ties, raced=True)
    return Standing(worth, rung, dropped=not survived, incoherent=way.mark is not None)


def _evaluation(track: Track, way: _Way) -> Evaluation:
    seconds = sum(one.seconds for one in way.passes)
    if way.failure is not None:
        return Evaluation(None, way.failure.loss, way.failure.failure, seconds, sum(one.tokens for one in way.passes))
    return evaluation_on(track.setup, way.items, seconds)


def _save(track: Track, way: _Way) -> None:
    """The candidate's evaluation on what it was asked; its item scores are in the store already."""
    candidate, precision = way.candidate, track.setup.precision
    if way.passes and track.store.evaluation(candidate.id, "search", precision) is None:
        evaluation = _evaluation(track, way)
        track.store.save_evaluation(candidate.twin or candidate.id, "search", precision, evaluation, (), mark=way.mark)
