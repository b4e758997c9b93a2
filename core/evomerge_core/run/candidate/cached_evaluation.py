"""Evaluations of a run: found in the store, or made and kept there, with the clock of the run's active time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from evomerge_core.recipe.schema import Precision
from evomerge_core.run.candidate.candidate_loader import CandidateLoader
from evomerge_core.run.candidate.coherence_guard import Guard, make_guard, objection, questions
from evomerge_core.run.candidate.scoring import Gate, Responses, ask_candidate, evaluation_of
from evomerge_core.run.plan import Asked, RunPlan
from evomerge_core.run.run_folder.commands import obey
from evomerge_core.run.store.facts import Clock, read_facts
from evomerge_core.run.store.records import POOL, Candidate, Evaluation, Pass
from evomerge_core.run.store.store import Store
from evomerge_core.tasks.evaluator import CandidateError, Question


def _believe() -> None:
    """Where nobody watches."""


@dataclass
class CachedEvaluator:
    """Evaluates a candidate, or finds its evaluation in the store.

    `since` is where the clock of the run's active time stands: all time counts but that of pauses. `require_unchanged` raises
    where the run, or what it is made of, is no longer what the job began with; nothing is kept then.
    """

    plan: RunPlan
    store: Store
    loader: CandidateLoader
    since: float
    require_unchanged: Callable[[], None] = _believe

    def evaluate(
        self, candidate: Candidate, split: str, precision: Precision, asked: Sequence[Asked] | None = None
    ) -> Evaluation:
        """The candidate's evaluation on a split: on all of its items, or on those that are `asked`. Raises `Stopped` when the
        run is asked to stop."""
        known = self.store.evaluation(candidate.id, split, precision)
        if known is not None:
            return known
        neutral = self._neutral if split == "search" else {}
        some = self.plan.asked[split] if asked is None else asked
        responses, clock = self._ask(candidate, split, precision, some, neutral, None)
        evaluation = evaluation_of(self.plan, responses)
        self.store.save_evaluation(
            candidate.twin or candidate.id,
            split,
            precision,
            evaluation,
            responses.items,
            passed=_pass(responses, split, precision, candidate.generation, None),
            neutral=responses.neutral,
            mark=self._mark(candidate, responses),
            facts=clock.as_facts(),
        )
        return evaluation

    def run_rung(self, candidate: Candidate, generation: int, rung: int, asked: Sequence[Asked], gate: Gate | None) -> None:
        """One rung of a generation's race, on the search's items; what the candidate answered before isn't asked again."""
        precision, place = self.plan.precision, candidate.twin or candidate.id
        known = {(i.task, i.item) for i in self.store.item_scores(place, "search", precision)}
        new = [a for a in asked if (a.task.name, a.item.id) not in known]
        neutral = {} if known else self._neutral
        responses, clock = self._ask(candidate, "search", precision, new, neutral, gate)
        passed = _pass(responses, "search", precision, generation, rung)
        self.store.save_rung(place, passed, responses.items, responses.neutral, facts=clock.as_facts())

    def run_pool_rung(self, candidate: Candidate, generation: int, rung: int, asked: Sequence[Asked], _: Gate | None) -> None:
        """One rung of a race between sets of a pool's members; what a set answered before isn't asked again."""
        precision = self.plan.precision
        known = {(i.task, i.item) for i in self.store.item_scores(candidate.id, POOL, precision)}
        new = [a for a in asked if (a.task.name, a.item.id) not in known]
        responses, clock = self._ask(candidate, POOL, precision, new, {}, None)
        self.store.save_rung(
            candidate.id, _pass(responses, POOL, precision, generation, rung), responses.items, facts=clock.as_facts()
        )

    def run_final_rung(self, candidate: Candidate, precision: Precision, rung: int, asked: Sequence[Asked]) -> None:
        """One rung of a final, on validation items that the candidate was not asked before."""
        responses, clock = self._ask(candidate, "validation", precision, asked, {}, None)
        passed = _pass(responses, "validation", precision, candidate.generation, rung)
        self.store.save_rung(candidate.twin or candidate.id, passed, responses.items, facts=clock.as_facts())

    @cached_property
    def guard(self) -> Guard | None:
        """The coherence guard; not to be asked for before the parents are scored."""
        return make_guard(self.plan, self.store)

    @cached_property
    def _neutral(self) -> Mapping[tuple[str, str], Question]:
        return questions(self.plan)

    def _mark(self, candidate: Candidate, responses: Responses) -> str | None:
        """References are what children are measured against, and never marked."""
        if candidate.generation is None or self.guard is None or responses.failure is not None:
            return None
        return objection(self.guard, responses.items, responses.neutral)

    def _ask(
        self,
        candidate: Candidate,
        split: str,
        precision: Precision,
        asked: Sequence[Asked],
        neutral: Mapping[tuple[str, str], Question],
        gate: Gate | None,
    ) -> tuple[Responses, Clock]:
        """The candidate's responses, and the clock afterwards."""
        waited = obey(self.store, self.require_unchanged)
        before = time.perf_counter()
        try:
            slot = self.loader.slot(candidate, split, precision)
        except CandidateError as failure:  # there is no room for a model in this precision
            made, rows = time.perf_counter() - before, None
            responses = Responses([], [], str(failure), None, made, made)
        else:
            made = time.perf_counter() - before
            responses = ask_candidate(slot, asked, neutral=neutral, gate=gate)
            rows = slot.evaluator.batch_size
        self.require_unchanged()
        now, facts = time.perf_counter(), read_facts(self.store)
        clock = Clock(
            active_seconds=facts.active_seconds + now - self.since - waited,
            build_seconds=max(made, facts.build_seconds),
            precision=precision,
            layers=self.loader.other_layers,
            batch_size=rows,
        )
        self.since = now
        return responses, clock


def _pass(responses: Responses, split: str, precision: str, generation: int | None, rung: int | None) -> Pass:
    return Pass(
        split=split,
        precision=precision,
        items=len(responses.items),
        tokens=sum(item.tokens for item in responses.items),
        load_seconds=responses.load_seconds,
        seconds=responses.seconds,
        generation=generation,
        rung=rung,
        failure=responses.failure,
        loss=responses.loss,
    )
