"""Evaluations of a run: found in the store, or made and kept there, with the clock of the run's active time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from evomerge_core.recipe.schema import Precision
from evomerge_core.run.candidate.candidate_loader import CandidateLoader
from evomerge_core.run.candidate.coherence_guard import Guard, make_guard, objection, questions
from evomerge_core.run.candidate.crew import Crew
from evomerge_core.run.candidate.crew_evaluation import CrewEvaluation
from evomerge_core.run.candidate.scoring import Gate, Responses, ask_candidate, evaluation_of
from evomerge_core.run.candidate.wanted import Wanted, once
from evomerge_core.run.plan import Asked, RunPlan
from evomerge_core.run.run_folder.commands import obey
from evomerge_core.run.store.facts import Clock, read_facts
from evomerge_core.run.store.records import POOL, Candidate, Evaluation, Pass
from evomerge_core.run.store.store import Store
from evomerge_core.tasks.evaluator import CandidateError, Question
from evomerge_core.tasks.taste import Judge


def _believe() -> None:
    """Where nobody watches."""


@dataclass
class CachedEvaluator:
    """Evaluates a candidate, or finds its evaluation in the store.

    `since` is where the clock of the run's active time stands: all time counts but that of pauses. `require_unchanged` raises
    where the run, or what it is made of, is no longer what the job began with; nothing is kept then. `judge` votes on answers
    where the run has one; else people do. With a `crew` its workers are asked, and no candidate is loaded in this process.
    """

    plan: RunPlan
    store: Store
    loader: CandidateLoader
    since: float
    require_unchanged: Callable[[], None] = _believe
    judge: Judge | None = None
    crew: Crew | None = None

    def evaluate(
        self, candidate: Candidate, split: str, precision: Precision, asked: Sequence[Asked] | None = None
    ) -> Evaluation:
        """The candidate's evaluation on a split: on all of its items, or on those that are `asked`. Raises `Stopped` when the
        run is asked to stop."""
        self.evaluate_all([candidate], split, precision, asked)
        known = self.store.evaluation(candidate.id, split, precision)
        assert known is not None  # a failure is kept too
        return known

    def evaluate_all(
        self, candidates: Iterable[Candidate], split: str, precision: Precision, asked: Sequence[Asked] | None = None
    ) -> None:
        """The same for several candidates, which are taken one after the other as they can be asked; afterwards the store has
        the evaluations of all."""
        neutral = self._neutral if split == "search" else {}
        some = self.plan.asked[split] if asked is None else asked
        self._carry_out(
            Wanted(one, split, precision, some, neutral, None, partial(self._keep, one, split, precision))
            for one in candidates
            if self.store.evaluation(one.id, split, precision) is None
        )

    def _keep(self, candidate: Candidate, split: str, precision: Precision, responses: Responses, clock: Clock) -> None:
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

    def run_rungs(
        self, candidates: Iterable[Candidate], generation: int, rung: int, asked: Sequence[Asked], gate: Gate | None
    ) -> None:
        """One rung of a generation's race, on the search's items, for each candidate; what it answered before isn't asked
        again."""
        self._carry_out(self._rung(one, "search", generation, rung, asked, self._neutral, gate) for one in candidates)

    def run_pool_rungs(
        self, candidates: Iterable[Candidate], generation: int, rung: int, asked: Sequence[Asked], _: Gate | None
    ) -> None:
        """One rung of a race between sets of a pool's members; what a set answered before isn't asked again."""
        self._carry_out(self._rung(one, POOL, generation, rung, asked, {}, None) for one in candidates)

    def run_final_rungs(self, unanswered: Iterable[tuple[Candidate, Sequence[Asked]]], precision: Precision, rung: int) -> None:
        """One rung of a final, on validation items that each candidate was not asked before."""

        def wanted(one: Candidate, asked: Sequence[Asked]) -> Wanted:
            keep = partial(self._keep_rung, one, "validation", precision, one.generation, rung)
            return Wanted(one, "validation", precision, asked, {}, None, keep)

        self._carry_out(wanted(one, asked) for one, asked in unanswered)

    def _rung(
        self,
        candidate: Candidate,
        split: str,
        generation: int,
        rung: int,
        asked: Sequence[Asked],
        neutral: Mapping[tuple[str, str], Question],
        gate: Gate | None,
    ) -> Wanted:
        precision, place = self.plan.precision, candidate.twin or candidate.id
        known = {(i.task, i.item) for i in self.store.item_scores(place, split, precision)}
        new = [a for a in asked if (a.task.name, a.item.id) not in known]
        keep = partial(self._keep_rung, candidate, split, precision, generation, rung)
        return Wanted(candidate, split, precision, new, {} if known else neutral, gate, keep)

    @cached_property
    def guard(self) -> Guard | None:
        """The coherence guard; not to be asked for before the parents are scored."""
        return make_guard(self.plan, self.store)

    @cached_property
    def _neutral(self) -> Mapping[tuple[str, str], Question]:
        return questions(self.plan)

    def _keep_rung(
        self,
        candidate: Candidate,
        split: str,
        precision: Precision,
        generation: int | None,
        rung: int,
        responses: Responses,
        clock: Clock,
    ) -> None:
        passed = _pass(responses, split, precision, generation, rung)
        place = candidate.twin or candidate.id
        self.store.save_rung(place, passed, responses.items, responses.neutral, facts=clock.as_facts())

    def _mark(self, candidate: Candidate, responses: Responses) -> str | None:
        """References are what children are measured against, and never marked."""
        if candidate.generation is None or self.guard is None or responses.failure is not None:
            return None
        return objection(self.guard, responses.items, responses.neutral)

    def _carry_out(self, wanted: Iterable[Wanted]) -> None:
        """Asks everything in its order, and keeps it in that order."""
        if self.crew is not None:
            asking = CrewEvaluation(self.crew, self.store, self.loader, self._active_seconds, self.require_unchanged)
            asking.carry_out(once(wanted))
            return
        for one in once(wanted):
            one.keep(*self._ask(one))

    def _active_seconds(self, waited: float) -> float:
        """The run's active seconds up to now, without those that it has just `waited`."""
        now, before = time.perf_counter(), self.since
        self.since = now
        return read_facts(self.store).active_seconds + now - before - waited

    def _ask(self, wanted: Wanted) -> tuple[Responses, Clock]:
        """A candidate's responses, and the clock afterwards."""
        precision = wanted.precision
        waited = obey(self.store, self.require_unchanged)
        before = time.perf_counter()
        try:
            slot = self.loader.slot(wanted.candidate, wanted.split, precision)
        except CandidateError as failure:  # there is no room for a model in this precision
            made, rows = time.perf_counter() - before, None
            responses = Responses([], [], str(failure), None, made, made)
        else:
            made = time.perf_counter() - before
            responses = ask_candidate(slot, wanted.asked, neutral=wanted.neutral, gate=wanted.gate)
            rows = slot.evaluator.batch_size
        self.require_unchanged()
        clock = Clock(
            active_seconds=self._active_seconds(waited),
            build_seconds=max(made, read_facts(self.store).build_seconds),
            precision=precision,
            layers=self.loader.other_layers,
            batch_size=rows,
        )
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
        scored_on=responses.scored_on,
    )
