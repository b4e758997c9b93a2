"""Where workers are placed: one to a card, or an even share of a machine's processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evomerge_core.errors import InputError
from evomerge_core.recipe.schema import Workers


@dataclass(frozen=True)
class Machine:
    """A machine of a cluster: Ray's id of it, its name, and how many cores and cards are free there, and `taken` by others."""

    id: str
    host: str
    cores: int
    cards: int
    taken_cores: int = 0
    taken_cards: int = 0


@dataclass(frozen=True)
class Place:
    """Where a worker is: `threads` are its share of the cores, `sharing` workers share the machine's RAM; on a card or not."""

    machine: Machine
    threads: int
    sharing: int
    on_card: bool


def place_workers(machines: Sequence[Machine], wanted: Workers, *, on_cards: bool) -> list[Place]:
    """So many workers, each where it has most to itself; `auto` or a cluster's address: one to a card, or one to a machine
    where no cards are to be used.

    Raises InputError for more workers than there are cards or cores, and where there are none.
    """
    rooms = [machine.cards if on_cards else machine.cores for machine in machines]
    taken = sum(machine.taken_cards if on_cards else machine.taken_cores for machine in machines)
    unit = "card" if on_cards else "core"
    if sum(rooms) < (wanted if isinstance(wanted, int) else 1) <= sum(rooms) + taken:
        problem = f"each worker needs a {unit}, and {sum(rooms)} of the cluster's {sum(rooms) + taken} {unit}s are free"
        remedy = "wait until others have ended there (see `ray status`)"
        remedy += f", or ask for at most {sum(rooms)}" if any(rooms) else ""
        raise InputError(problem, where=f"workers: {wanted}", remedy=remedy)
    if not any(rooms):
        remedy = "write device: cpu" if on_cards else "start Ray with some (`--num-cpus`)"
        raise InputError(f"each worker needs a {unit}, and there is none", where=f"workers: {wanted}", remedy=remedy)
    if isinstance(wanted, int):
        if wanted > sum(rooms):
            there = f"{sum(rooms)} {unit}{'' if sum(rooms) == 1 else 's'} on {len(machines)} machines"
            there = there if len(machines) > 1 else there.removesuffix(" on 1 machines")
            remedy = f"ask for at most {sum(rooms)}" + (", or write device: cpu" if on_cards else "")
            raise InputError(f"each worker needs a {unit}, and there are {there}", where=f"workers: {wanted}", remedy=remedy)
        counts = [0] * len(machines)
        for _ in range(wanted):
            free = [index for index in range(len(machines)) if counts[index] < rooms[index]]
            counts[max(free, key=lambda index: (rooms[index] / (counts[index] + 1), -index))] += 1
    else:
        counts = [room if on_cards else min(1, room) for room in rooms]
    return [
        Place(machine, max(1, machine.cores // count), count, on_cards)
        for machine, count in zip(machines, counts, strict=True)
        if count
        for _ in range(count)
    ]
