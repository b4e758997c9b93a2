"""Evaluations by a crew: as many candidates at a time as there are workers, kept in their own order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from evomerge_core.run.candidate.candidate_loader import CandidateLoader
from evomerge_core.run.candidate.crew import Crew, Order
from evomerge_core.run.candidate.in_order import InOrder
from evomerge_core.run.candidate.scoring import Answered, responses_of
from evomerge_core.run.candidate.wanted import Wanted
from evomerge_core.run.run_folder.commands import obey
from evomerge_core.run.store.facts import Clock, batch_size, read_facts, write_facts
from evomerge_core.run.store.store import Store

# How exactly the time is known while nothing is kept: each time is a write to the disk.
_COUNT_SECONDS = 1.0


@dataclass
class CrewEvaluation:
    """Asks a crew. `active_seconds` gives the run's, less the seconds that it is told of, which were `counted` last then (of
    `time.perf_counter`); `require_unchanged` is as in `CachedEvaluator`."""

    crew: Crew
    store: Store
    loader: CandidateLoader
    active_seconds: Callable[[float], float]
    require_unchanged: Callable[[], None]
    counted: float = field(default_factory=time.perf_counter)

    def carry_out(self, wanted: Iterator[Wanted]) -> None:
        """Asks everything, and keeps it in its order. Commands are obeyed when those that work have ended."""
        taken: deque[tuple[Wanted, Order]] = deque()

        def orders() -> Iterator[Order]:
            for one in wanted:
                order = self._order(one)
                taken.append((one, order))
                yield order

        asking = InOrder(
            self.crew,
            orders(),
            may_take=self._may_take,
            rest=self._rest,
            changed=self._tell,
            look=self.require_unchanged,
        )
        for answered in asking.answers():
            one, order = taken.popleft()
            self.require_unchanged()
            self.loader.record_answered(answered)
            one.keep(responses_of(one.asked, list(one.neutral), answered), self._clock(order, answered))
        self._tell()

    def _order(self, wanted: Wanted) -> Order:
        return replace(
            self.loader.order(wanted.candidate, wanted.split, wanted.precision),
            questions=tuple(a.question for a in wanted.asked),
            neutral=tuple(wanted.neutral.values()),
            gate=wanted.gate,
        )

    def _may_take(self) -> bool:
        # whether there is time for another is asked next, by what is in the store
        if time.perf_counter() - self.counted > _COUNT_SECONDS:
            self._count(0.0)
        return not self.store.waiting_commands()

    def _rest(self) -> None:
        waited = obey(self.store, self.require_unchanged)
        if waited > _COUNT_SECONDS:
            self._count(waited)

    def _count(self, waited: float) -> None:
        self.counted = time.perf_counter()
        write_facts(self.store, active_seconds=self.active_seconds(waited))

    def _tell(self) -> None:
        known = {worker["name"] for worker in read_facts(self.store).workers if worker["lost"]}
        told = self.crew.told()
        write_facts(self.store, workers=told)
        for worker in told:
            if worker["lost"] and worker["name"] not in known:
                left = sum(not other["lost"] for other in told)
                self.store.add_event("worker_lost", worker=worker["name"], reason=worker["lost"], left=left)

    def _clock(self, order: Order, answered: Answered) -> Clock:
        precision, layers = order.kind.precision, order.kind.other_layers
        return Clock(
            active_seconds=self.active_seconds(0.0),
            build_seconds=max(answered.made_seconds, read_facts(self.store).build_seconds),
            precision=precision,
            layers=layers,
            # planned once: a worker that was short of memory answers fewer together for a while
            batch_size=order.rows or batch_size(self.store, precision, layers) or answered.rows,
        )
