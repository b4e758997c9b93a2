"""A crew whose workers are actors of Ray, each on a card or a share of a processor of its own."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, GetTimeoutError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from evomerge_core.errors import InputError
from evomerge_core.run.candidate.crew import Done, Order
from evomerge_core.run.candidate.scoring import Answered
from evomerge_core.run.view.workers import WorkerSeen
from evomerge_quant.planning.machine.places import Place
from evomerge_quant.resident.vision.seen import Seen
from evomerge_quant.workers.cluster import worker_environment
from evomerge_quant.workers.run_description import RunDescription
from evomerge_quant.workers.worker import Opened, Worker, kill_process

# What Ray says where its own monitor ended a process; of one that somebody else ended it says much that may be.
_LOW_ON_MEMORY = "running low on memory"
# What Ray raises where a worker, or the cluster, isn't there any more.
_GONE = (RayError, ConnectionError)
# What opening models may take: of a large one every byte is hashed the first time.
_OPEN_SECONDS = 1800.0
# How often a worker that is at a candidate is asked for a sign of life, and how long it may be silent: a busy machine is slow.
_PULSE_SECONDS = 5.0
_SILENT_SECONDS = 90.0
_WAIT_SECONDS = 0.5
# A worker's thread beside the one that scores.
_PULSE = "pulse"


@dataclass
class _Member:
    """A worker: its actor, what it opened, and what it does now."""

    name: str
    place: Place
    actor: Any
    opened: Opened
    began: float
    order: Order | None = None
    since: float | None = None
    answered: int = 0
    busy: float = 0.0
    lost: str = ""
    pulse: Any = None
    since_pulse: float = 0.0


class RayCrew:
    """The workers at `places`, started and ready. `close` ends them."""

    def __init__(self, places: Sequence[Place], described: RunDescription, seen: Mapping[str, Seen]) -> None:
        self._answers: dict[Any, _Member] = {}
        self._members: list[_Member] = []
        actors = [(f"worker {number}", place, _start(place)) for number, place in enumerate(places, start=1)]
        opening = {name: actor.open.remote(described) for name, _, actor in actors}
        try:
            for name, place, actor in actors:
                opened = _ready(name, place, opening[name])
                self._members.append(_Member(name, place, actor, opened, time.time()))
        except BaseException:
            for _, _, actor in actors:
                _end(actor)
            raise
        lacking = [member for member in self._members if member.opened.lacks_pictures]
        if lacking:
            kept = ray.put(dict(seen))
            given = [(member, member.actor.see.remote(kept)) for member in lacking]
            for member, answer in given:
                self._answer_of(member, answer)

    def at_work(self) -> Sequence[str]:
        """Those that haven't been lost."""
        return [member.name for member in self._members if not member.lost]

    def smallest(self) -> Collection[str]:
        """Those of them that have the least memory."""
        living = [member for member in self._members if not member.lost]
        least = min((member.opened.memory for member in living), default=0)
        return [member.name for member in living if member.opened.memory == least]

    def start(self, worker: str, order: Order) -> None:
        """Gives a worker that does nothing an order."""
        member = self._member(worker)
        member.order, member.since, member.since_pulse = order, time.time(), 0.0
        self._answers[member.actor.answer.remote(order)] = member

    def wait(self, seconds: float) -> Sequence[Done]:
        """What has come of orders since, after some seconds at the most. Raises what a worker raises, but for a candidate's
        own failure."""
        began = time.monotonic()
        try:
            ready, _ = ray.wait(list(self._answers), num_returns=1, timeout=seconds)
            # no more than was waited for: this process may have slept too
            waited = min(time.monotonic() - began, seconds)
            silent = [answer for answer, one in self._answers.items() if answer not in ready and _is_silent(one, waited)]
        except _GONE as error:
            said = " ".join(str(error).split())[:200]
            remedy = "resume the run when it is there again, or with --workers none"
            raise InputError(f"the cluster is lost ({said})", where="workers", remedy=remedy) from None
        return [*(self._done(answer) for answer in ready), *(self._given_up(answer) for answer in silent)]

    def lacks_for_shipped(self) -> str:
        """What a model in what ships would take that the smallest workers don't have, in words; "" where they have room for
        one."""
        smallest = self.smallest()
        asked = [(one, one.actor.lacks_for_shipped.remote()) for one in self._members if one.name in smallest]
        said = [self._answer_of(member, answer) for member, answer in asked]
        if self.at_work() and all(one is None for one in said):
            # of those that are left, others have the least
            return self.lacks_for_shipped()
        return next(filter(None, said), "")

    def told(self) -> list[dict[str, Any]]:
        """Every worker as the store keeps it: the fields of `view.workers.WorkerSeen`."""
        return [_told(member).as_fact() for member in self._members]

    def close(self) -> None:
        """Ends every worker."""
        for member in self._members:
            _end(member.actor)

    def _member(self, worker: str) -> _Member:
        return next(member for member in self._members if member.name == worker)

    def _done(self, answer: Any) -> Done:
        member = self._answers.pop(answer)
        since, member.order, member.since = member.since or 0.0, None, None
        answered: Answered | None = self._answer_of(member, answer)
        if answered is not None:
            member.answered += 1
            member.busy += time.time() - since
        return Done(member.name, answered, member.lost)

    def _given_up(self, answer: Any) -> Done:
        """What comes of an order to a worker that is silent."""
        member = self._answers.pop(answer)
        member.order, member.since = None, None
        _give_up(member)
        return Done(member.name, None, member.lost)

    def _answer_of(self, member: _Member, answer: Any) -> Any:
        """What a worker answers; None where it is lost."""
        try:
            while not ray.wait([answer], timeout=_WAIT_SECONDS)[0]:
                if _is_silent(member, _WAIT_SECONDS):
                    _give_up(member)
                    return None
            with _as_raised():
                return ray.get(answer)
        except _GONE as error:
            member.lost = _why(error, member)
            _end(member.actor)
            return None


@contextlib.contextmanager
def _as_raised() -> Iterator[None]:
    """What a worker raised is raised here as it was."""
    try:
        yield
    except RayTaskError as error:
        cause = error.cause
        if isinstance(cause, InputError):
            raise cause from None
        said = f"{type(cause).__name__}: {cause}"
        raise RuntimeError(f"a worker failed ({' '.join(said.split())[:200]})") from error


def _is_silent(member: _Member, waited: float) -> bool:
    """Whether a worker has been silent for too long, `waited` seconds after it was asked about last."""
    member.since_pulse += waited
    if member.pulse is not None and ray.wait([member.pulse], timeout=0)[0]:
        # of one that has ended, its order's answer says so
        member.pulse, member.since_pulse = None, 0.0
    if member.pulse is None and member.since_pulse > _PULSE_SECONDS:
        member.pulse, member.since_pulse = member.actor.pulse.options(concurrency_group=_PULSE).remote(), 0.0
    return member.since_pulse > _SILENT_SECONDS


def _give_up(member: _Member) -> None:
    """Ends a worker that is there, and does nothing any more."""
    opened = member.opened
    member.lost = f"its process {opened.process} on {opened.host} has given no sign of life for {_SILENT_SECONDS:.0f} s"
    _end(member.actor)
    _kill(member)


def _end(actor: Any) -> None:
    with contextlib.suppress(*_GONE):
        ray.kill(actor)


def _kill(member: _Member) -> None:
    """Ends a worker's process from its machine: one that is stopped hears nothing of Ray. Nobody waits for it."""
    there = NodeAffinitySchedulingStrategy(member.place.machine.id, soft=False)
    with contextlib.suppress(*_GONE):
        ray.remote(kill_process).options(num_cpus=0, scheduling_strategy=there).remote(member.opened.process)


def _start(place: Place) -> Any:
    # Ray's own types lack the groups
    remote: Any = ray.remote(concurrency_groups={_PULSE: 1})  # type: ignore[call-overload]
    actor = remote(Worker).options(
        num_cpus=0 if place.on_card else place.threads,
        num_gpus=1 if place.on_card else 0,
        max_restarts=0,
        scheduling_strategy=NodeAffinitySchedulingStrategy(place.machine.id, soft=False),
        runtime_env={"env_vars": worker_environment(_threads(place))},
    )
    return actor.remote(place.sharing)


def _threads(place: Place) -> int:
    """The worker's share of the cores, or fewer where the environment allows a process no more."""
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return min(place.threads, int(allowed)) if allowed.isdecimal() and int(allowed) else place.threads


def _ready(name: str, place: Place, opening: Any) -> Opened:
    """What a worker opened. Raises InputError where it doesn't start."""
    try:
        with _as_raised():
            opened: Opened = ray.get(opening, timeout=_OPEN_SECONDS)
    except GetTimeoutError:
        problem = f"{name} didn't start in {_OPEN_SECONDS / 60:.0f} minutes"
        remedy = "see with `ray status` what else takes its cores or cards"
        raise InputError(problem, where=place.machine.host, remedy=remedy) from None
    except _GONE as error:
        said = " ".join(str(error).split())[:300]
        raise InputError(f"{name} couldn't start ({said})", where=place.machine.host, remedy="see Ray's logs there") from None
    return opened


def _why(error: Exception, member: _Member) -> str:
    """Why a worker was lost, in a few words."""
    try:
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    except _GONE:
        return "the cluster is gone"
    alive = {node["NodeID"] for node in nodes if node["Alive"]}
    if member.place.machine.id not in alive:
        return f"its machine {member.opened.host} is gone"
    if isinstance(error, ActorUnavailableError):
        return f"it can't be reached on {member.opened.host}"
    if _LOW_ON_MEMORY in str(error):
        return f"{member.opened.host} ran out of memory"
    return f"its process {member.opened.process} on {member.opened.host} ended"


def _told(member: _Member) -> WorkerSeen:
    return WorkerSeen(
        name=member.name,
        host=member.opened.host,
        process=member.opened.process,
        device=member.opened.device,
        candidate=None if member.order is None else member.order.label,
        since=member.since,
        began=member.began,
        answered=member.answered,
        busy=member.busy,
        lost=member.lost,
    )
