"""A run's workers, a line each: where each is, what it does and for how long."""

from __future__ import annotations

from collections.abc import Sequence

from evomerge_core.run.view.workers import WorkerSeen
from evomerge_tui.text.quantities import duration
from evomerge_tui.text.shown_text import one_line


def worker_lines(workers: Sequence[WorkerSeen], now: float) -> list[str]:
    """The lines at a unix time in seconds."""
    several = len({worker.host for worker in workers}) > 1
    return [one_line(_line(worker, now, with_host=several)) for worker in workers]


def _line(worker: WorkerSeen, now: float, *, with_host: bool) -> str:
    if worker.lost:
        return f"{worker.name} was lost: {worker.lost}"
    where = f"{worker.device} on {worker.host}" if with_host else worker.device
    age = worker.age(now)
    does = "waits" if worker.candidate is None or age is None else f"{worker.candidate} for {duration(age)}"
    return f"{worker.name} · {does} · {worker.load(now):.0%} busy · {worker.answered} scored · {where}"
