"""The cards of this machine, and the runs that compute on them: each starts a Ray of its own, which knows no other's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.path_text import on_command_line
from evomerge_core.recipe.schema import Workers
from evomerge_core.run.run_folder.folder import read_store
from evomerge_core.run.run_folder.known_runs import known_runs
from evomerge_core.run.run_folder.lock import is_held
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.view.workers import workers_of


@dataclass(frozen=True)
class Card:
    """A card by its id, as CUDA_VISIBLE_DEVICES takes it, its UUID, and its name."""

    id: str
    uuid: str
    name: str


def cards_for(wanted: Workers) -> list[str]:
    """The ids of the cards that this machine's workers may have: those on which no other run computes.

    Raises InputError where other runs leave too few.
    """
    cards = list(_cards())
    taken = {card: run for card in cards if (run := _run_on(card)) is not None}
    free = [card.id for card in cards if card not in taken]
    needed = wanted if isinstance(wanted, int) else 1
    if taken and len(free) < needed <= len(cards):
        card, run = next(iter(taken.items()))
        problem = f"the run {run} computes on {card.name}, and {len(free)} of {len(cards)} cards are free"
        remedy = f"wait until it has ended, or end it with `evomerge-tui stop {on_command_line(run)}`"
        remedy += f", or ask for at most {len(free)}" if free else ""
        raise InputError(problem, where=f"workers: {wanted}", remedy=remedy)
    return free


def _cards() -> Iterator[Card]:
    import torch

    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    for index in range(torch.cuda.device_count()):
        known = torch.cuda.get_device_properties(index)
        yield Card(visible[index] if index < len(visible) else str(index), f"GPU-{known.uuid}", known.name)


def _run_on(card: Card) -> Path | None:
    """The run, other than this process's, whose job or worker computes on a card."""
    processes = _processes_on(card) - {os.getpid()}
    return next((run for run in known_runs() if processes & _processes_of(run)), None) if processes else None


def _processes_on(card: Card) -> set[int]:
    """The processes that compute on a card; none where the driver doesn't say."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return set()
    try:
        handle = pynvml.nvmlDeviceGetHandleByUUID(card.uuid)
        return {int(one.pid) for one in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)}
    except pynvml.NVMLError:
        return set()
    finally:
        pynvml.nvmlShutdown()


def _processes_of(run: Path) -> set[int]:
    """A run's job and workers, while it is at work."""
    # a store that is damaged or another's says nothing here
    with suppress(InputError, OSError):
        if is_held(run):
            with closing(read_store(run)) as store:
                facts = read_facts(store)
            workers = {worker.process for worker in workers_of(facts) if not worker.lost}
            return workers | ({facts.pid} if facts.pid is not None else set())
    return set()
