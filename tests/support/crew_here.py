"""A crew of real workers in this process, without Ray: all that they are told and answer crosses as bytes, as it does there."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from evomerge_core.run.candidate.crew import Done, Order
from evomerge_core.run.view.workers import WorkerSeen
from evomerge_quant.resident.vision.seen import Seen
from evomerge_quant.workers.run_description import RunDescription
from evomerge_quant.workers.worker import Worker


def sent(data: Any) -> Any:
    """What arrives at the other end."""
    return pickle.loads(pickle.dumps(data))


class CrewHere:
    """A worker for each description, which may differ in where things are. Whoever began last is the first to answer."""

    def __init__(self, described: Sequence[RunDescription], seen: Mapping[str, Seen]) -> None:
        self._workers = {f"worker {number}": Worker(sharing=len(described)) for number in range(1, len(described) + 1)}
        self._orders: dict[str, Order] = {}
        self.answered = dict.fromkeys(self._workers, 0)
        self.most_at_once = 0
        for told, worker in zip(described, self._workers.values(), strict=True):
            if worker.open(sent(told)).lacks_pictures:
                worker.see(sent(dict(seen)))

    def at_work(self) -> Sequence[str]:
        return list(self._workers)

    def smallest(self) -> Collection[str]:
        return list(self._workers)

    def start(self, worker: str, order: Order) -> None:
        assert worker not in self._orders
        self._orders[worker] = sent(order)
        self.most_at_once = max(self.most_at_once, len(self._orders))

    def wait(self, _seconds: float) -> Sequence[Done]:
        worker, order = self._orders.popitem()
        self.answered[worker] += 1
        return [Done(worker, sent(self._workers[worker].answer(order)))]

    def lacks_for_shipped(self) -> str:
        return max(worker.lacks_for_shipped() for worker in self._workers.values())

    def told(self) -> list[dict[str, Any]]:
        return [WorkerSeen(name, "here", 1, "CPU").as_fact() for name in self._workers]
