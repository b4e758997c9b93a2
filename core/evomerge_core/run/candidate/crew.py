"""Workers that score a run's candidates in processes of their own: what they are asked, and what they answer.

Who they are and where doesn't matter here; `evomerge_quant.workers` has the ones that Ray places on cards and machines.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from evomerge_core.recipe.schema import Precision
from evomerge_core.run.candidate.held_model import Loadable
from evomerge_core.run.candidate.scoring import Answered, Gate
from evomerge_core.tasks.evaluator import Question


class ModelKind(NamedTuple):
    """Models that answer as many questions together: their precision, how many layers they have (None: the base's own), and
    whether they are those that the search's precision is compared with."""

    precision: Precision
    other_layers: int | None
    shipped: bool


@dataclass(frozen=True)
class Order:
    """One candidate for one worker, by its label: what is loaded, with the layers that the model must have, and what it is
    asked; `rows` questions are answered together (None: as many as fit)."""

    label: str
    loadable: Loadable
    layers: tuple[int, ...]
    kind: ModelKind
    rows: int | None
    questions: tuple[Question, ...]
    neutral: tuple[Question, ...]
    gate: Gate | None


@dataclass(frozen=True)
class Done:
    """What came of an order: a worker's answers; without any the worker itself is `lost`, for this reason."""

    worker: str
    answered: Answered | None
    lost: str = ""


class Crew(Protocol):
    """The workers of a run, by name."""

    def at_work(self) -> Sequence[str]:
        """Those that haven't been lost."""
        ...

    def smallest(self) -> Collection[str]:
        """Those of them that have the least memory."""
        ...

    def start(self, worker: str, order: Order) -> None:
        """Gives a worker that does nothing an order."""
        ...

    def wait(self, seconds: float) -> Sequence[Done]:
        """What has come of orders since, after some seconds at the most. Raises what a worker raises, but for a candidate's
        own failure."""
        ...

    def lacks_for_shipped(self) -> str:
        """What a model in what ships would take that the smallest workers don't have, in words; "" where they have room for
        one."""
        ...

    def told(self) -> list[dict[str, Any]]:
        """Every worker as the store keeps it: the fields of `view.workers.WorkerSeen`."""
        ...
