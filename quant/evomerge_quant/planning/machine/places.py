"""Where workers are placed: one to a card, or an even share of a machine's processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evomerge_core.errors import InputError
from evomerge_core.recipe.schema import Workers


@dataclass(frozen=True)
class Machine:
    """A machine of a cluster: Ray's id of it, its name, and how many cores and cards Ray may use there."""

    id: str
    host: str
    cores: int
    cards: int


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
    unit = "card" if on_cards else "core"
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
        counts = [machine.cards if on_cards else 1 for machine in machines]
    return [
        Place(machine, max(1, machine.cores // count), count, on_cards)
        for machine, count in zip(machines, counts, strict=True)
        for _ in range(count)
    ]
