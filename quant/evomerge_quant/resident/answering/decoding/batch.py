"""What answers rows side by side: a running batch that rows leave when their answer is over, and others enter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from evomerge_quant.resident.answering.ending import Ending
from evomerge_quant.resident.answering.prefill import Started


class Batch(Protocol):
    """Rows that were read, and advance by one token a step."""

    @property
    def free(self) -> int:
        """Seats that no row has taken."""

    @property
    def running(self) -> bool:
        """Whether any row is still being answered."""

    def enter(self, started: Sequence[Started]) -> None:
        """Rows take free seats; each has states, and at least one token to come."""

    def step(self) -> dict[int, Ending]:
        """One token more for every row; the endings of the rows that leave, by the row's index."""
