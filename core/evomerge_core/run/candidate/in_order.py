"""Orders given to whoever of a crew is free, and answers handed on in the orders' own order.

So what is kept, and when, is the same however many workers there are and whoever is faster. An order that a worker was lost
with, or had no memory for, is given to others, up to three times in all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from evomerge_core.errors import InputError
from evomerge_core.run.candidate.crew import Crew, Done, ModelKind, Order
from evomerge_core.run.candidate.scoring import Answered

MOST_TRIES = 3
# How long a wait lasts before commands are looked for again.
_SECONDS = 0.5


@dataclass
class _Asking:
    """An order on its way: its place in the order of all, who had it, and why they gave no answers."""

    place: int
    order: Order
    tried: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


class InOrder:
    """One round of orders. `orders` are taken one after the other when somebody is free and `may_take` allows it; `rest` is
    called whenever nobody works, `changed` when somebody has begun or ended, and `look` while everybody works."""

    def __init__(
        self,
        crew: Crew,
        orders: Iterator[Order],
        *,
        may_take: Callable[[], bool],
        rest: Callable[[], None],
        changed: Callable[[], None],
        look: Callable[[], None],
    ) -> None:
        self._crew, self._orders = crew, orders
        self._may_take, self._rest, self._changed, self._look = may_take, rest, changed, look
        self._ended = False
        self._taken = 0
        self._waiting: list[_Asking] = []
        self._running: dict[str, _Asking] = {}
        self._answered: dict[int, Answered] = {}
        self._rows: dict[ModelKind, int] = {}

    def answers(self) -> Iterator[Answered]:
        """The answers, in the orders' order. Raises InputError when no worker is left."""
        given = 0
        while True:
            while given in self._answered:
                yield self._answered.pop(given)
                given += 1
            if not self._running and not self._waiting:
                if self._ended:
                    return
                self._rest()
            self._give()
            if self._running:
                self._look()
                for done in self._crew.wait(_SECONDS):
                    self._take(done)
            elif not self._crew.at_work():
                raise _no_worker([f"{one['name']} was lost: {one['lost']}" for one in self._crew.told()])

    def _give(self) -> None:
        begun = False
        free = [worker for worker in self._crew.at_work() if worker not in self._running]
        for worker in free:
            asking = self._next_for(worker)
            if asking is not None:
                self._waiting.remove(asking)
                order = asking.order
                self._running[worker] = asking
                self._crew.start(worker, replace(order, rows=order.rows or self._rows.get(order.kind)))
                begun = True
        if begun:
            self._changed()

    def _next_for(self, worker: str) -> _Asking | None:
        """The next order for a worker; no more are taken ahead than there are workers."""
        while True:
            found = next((asking for asking in self._waiting if self._suits(worker, asking)), None)
            if found is not None or self._ended or len(self._waiting) >= len(self._crew.at_work()) or not self._may_take():
                return found
            order = next(self._orders, None)
            if order is None:
                self._ended = True
            else:
                self._waiting.append(_Asking(self._taken, order))
                self._taken += 1

    def _suits(self, worker: str, asking: _Asking) -> bool:
        """Whether a worker may have an order: it was not with it before, where there are others, and how many questions such a
        model answers together is known, or found out by it, being one of those with the least memory."""
        others = set(self._crew.at_work()) - set(asking.tried)
        if worker in asking.tried and others:
            return False
        kind = asking.order.kind
        if asking.order.rows is not None or kind in self._rows:
            return True
        if any(running.order.kind == kind for running in self._running.values()):
            return False
        smallest = set(self._crew.smallest())
        return worker in smallest or not smallest - set(asking.tried)

    def _take(self, done: Done) -> None:
        asking = self._running.pop(done.worker)
        asking.tried.append(done.worker)
        answered = done.answered
        if answered is None:
            asking.reasons.append(f"{done.worker} was lost: {done.lost}")
            self._changed()
            if not self._crew.at_work():
                raise _no_worker(asking.reasons, f" (while {asking.order.label} was asked)")
        elif answered.failure is not None and answered.elsewhere:
            asking.reasons.append(answered.failure)
            if set(self._crew.at_work()) <= set(asking.tried):
                # nobody else could have more memory
                self._answered[asking.place] = answered
                return
        else:
            if answered.rows is not None:
                self._rows.setdefault(asking.order.kind, answered.rows)
            self._answered[asking.place] = answered
            return
        if len(asking.tried) < MOST_TRIES:
            # ahead of those that come later
            self._waiting.insert(0, asking)
            return
        failure = f"asked {MOST_TRIES} times: {'; '.join(asking.reasons)}"
        self._answered[asking.place] = answered or Answered((), (), failure, None, 0.0, 0.0)
        if answered is not None:
            self._answered[asking.place] = replace(answered, failure=failure)


def _no_worker(reasons: Sequence[str], when: str = "") -> InputError:
    remedy = "resume the run when there are workers again, or with --workers none"
    return InputError(f"no worker is left: {'; '.join(reasons)}{when}", remedy=remedy)
