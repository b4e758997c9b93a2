"""The workers of a run as screens and commands show them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from evomerge_core.recipe.schema import Recipe, Workers
from evomerge_core.run.store.facts import RunFacts

# On a command line: no workers, whatever the recipe says.
NONE = "none"


@dataclass(frozen=True)
class WorkerSeen:
    """A worker: its name, machine, process and the card or processor that it computes on; the label of the candidate that it
    scores `since` then (None: none), and how many it has scored, for which it was `busy` so many seconds since it `began`.
    Times are unix times in seconds. `lost` is why it works no more, "" where it does.
    """

    name: str
    host: str
    process: int
    device: str
    candidate: str | None = None
    since: float | None = None
    began: float = 0.0
    answered: int = 0
    busy: float = 0.0
    lost: str = ""

    def as_fact(self) -> dict[str, Any]:
        """As the store keeps it."""
        return asdict(self)

    def age(self, now: float) -> float | None:
        """How many seconds it has been at its candidate."""
        return None if self.since is None else max(0.0, now - self.since)

    def load(self, now: float) -> float:
        """The share of its time in which it was scoring candidates, 0 to 1."""
        spent = now - self.began
        return min(1.0, (self.busy + (self.age(now) or 0.0)) / spent) if spent > 0 else 0.0


def wanted_workers(recipe: Recipe, facts: RunFacts) -> Workers | None:
    """The workers that a run is to have: as it was last told on a command line, else as its recipe says; None for none."""
    told = facts.workers_wanted
    return recipe.search.workers if told is None else None if told == NONE else told


def workers_of(facts: RunFacts) -> list[WorkerSeen]:
    """The workers of a run; none where its job scores the candidates itself."""
    known = {field.name for field in fields(WorkerSeen)}
    return [WorkerSeen(**{key: value for key, value in worker.items() if key in known}) for worker in facts.workers]
