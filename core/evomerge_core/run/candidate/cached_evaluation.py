"""Evaluations of a run: found in the store, or made and kept there, with the clock of the run's active time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evomerge_core.recipe.schema import Precision
from evomerge_core.run.candidate.candidate_loader import Bench
from evomerge_core.run.candidate.coherence_guard import Guard, make_guard, objection, questions
from evomerge_core.run.candidate.scoring import Gate, Responses, ask_candidate, evaluation_of
from evomerge_core.run.setup import Asked, Setup
from evomerge_core.run.store.commands import obey
from evomerge_core.run.store.store import Candidate, Evaluation, Pass, Store
from evomerge_core.tasks.evaluator import Question


@dataclass
class Evaluated:
    """Evaluates a candidate, or finds its evaluation in the store.

    `since` is where the clock of the run's active time stands: all time counts but that of pauses.
    """

    setup: Setup
    store: Store
    bench: Bench
    since: float

    def __call__(self, candidate: Candidate, split: str, precision: Precision) -> Evaluation:
        known = self.store.evaluation(candidate.id, split, precision)
        if known is not None:
            return known
        neutral = self._neutral if split == "search" else {}
        heard, clock = self._ask(candidate, split, precision, self.setup.asked[split], neutral, None)
        evaluation = evaluation_of(self.setup, heard)
        self.store.save_evaluation(
            candidate.twin or candidate.id,
            split,
            precision,
            evaluation,
            heard.items,
            passed=_pass(heard, split, precision, candidate.generation, None),
            neutral=heard.neutral,
            mark=self._mark(candidate, heard),
            **clock,
        )
        return evaluation

    def run_rung(self, candidate: Candidate, generation: int, rung: int, asked: Sequence[Asked], gate: Gate | None) -> None:
        """One rung of a generation's race, on the search's items; what the candidate answered before isn't asked again."""
        precision, place = self.setup.precision, candidate.twin or candidate.id
        known = {(i.task, i.item) for i in self.store.item_scores(place, "search", precision)}
        new = [a for a in asked if (a.task.name, a.item.id) not in known]
        neutral = {} if known else self._neutral
        heard, clock = self._ask(candidate, "search", precision, new, neutral, gate)
        passed = _pass(heard, "search", precision, generation, rung)
        self.store.save_rung(place, passed, heard.items, heard.neutral, **clock)

    @cached_property
    def guard(self) -> Guard | None:
        """What the parents show; to be asked for once they are scored."""
        return make_guard(self.setup, self.store)

    @cached_property
    def _neutral(self) -> Mapping[tuple[str, str], Question]:
        return questions(self.setup)

    def _mark(self, candidate: Candidate, heard: Responses) -> str | None:
        """References are what children are measured against, and never marked."""
        if candidate.generation is None or self.guard is None or heard.failure is not None:
            return None
        return objection(self.guard, heard.items, heard.neutral)

    def _ask(
        self,
        candidate: Candidate,
        split: str,
        precision: Precision,
        asked: Sequence[Asked],
        neutral: Mapping[tuple[str, str], Question],
        gate: Gate | None,
    ) -> tuple[Responses, dict[str, Any]]:
        """What came of asking, and the facts that change with it."""
        waited = obey(self.store)
        before = time.perf_counter()
        seat = self.bench.seat(candidate, split, precision)
        made = time.perf_counter() - before
        heard = ask_candidate(seat, asked, neutral=neutral, gate=gate)
        now = time.perf_counter()
        facts = {
            "active_seconds": self.store.fact("active_seconds", 0.0) + now - self.since - waited,
            "build_seconds": max(made, self.store.fact("build_seconds", 0.0)),
            self.bench.batch_fact(precision): seat.evaluator.batch_size,
        }
        self.since = now
        return heard, facts


def _pass(heard: Responses, split: str, precision: str, generation: int | None, rung: int | None) -> Pass:
    return Pass(
        split=split,
        precision=precision,
        items=len(heard.items),
        tokens=sum(item.tokens for item in heard.items),
        load_seconds=heard.load_seconds,
        seconds=heard.seconds,
        generation=generation,
        rung=rung,
        failure=heard.failure,
        loss=heard.loss,
    )
