"""What became of each member of a pool, and why, in words; kept in the store and read by commands, screens and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Told:
    """A member of a pool: whether it was `taken`, `why` or why not, and what it scored alone (None where it wasn't asked)."""

    name: str
    model: str
    taken: bool
    why: str
    score: float | None = None
    right: float | None = None
    language: float | None = None
    loss: float | None = None
    tasks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Selection:
    """How sources were chosen: the members, those taken first and then the best alone; what the set chosen scored on how many
    `items` (None where no set was scored); and what it cost: answers, generated tokens, and candidates of the budget."""

    members: tuple[Told, ...]
    score: float | None
    items: int
    answers: int
    tokens: int
    evaluations: int

    @property
    def taken(self) -> tuple[str, ...]:
        """The names of the sources chosen, in the pool's order."""
        return tuple(member.name for member in self.members if member.taken)

    def as_fact(self) -> dict[str, Any]:
        """What the store keeps."""
        return asdict(self)


def read_selection(fact: Mapping[str, Any] | None) -> Selection | None:
    """The selection that a store's fact holds; None before there is one, or without a pool."""
    if fact is None:
        return None
    return Selection(**{**fact, "members": tuple(Told(**member) for member in fact["members"])})


def in_order(members: Sequence[Told]) -> tuple[Told, ...]:
    """Those taken first; then those that were scored, by their score, right answers and language; then the others."""

    def key(member: Told) -> tuple[bool, bool, float, float]:
        parts = (member.right or 0.0) + (member.language or 0.0)
        return (not member.taken, member.score is None, -(member.score or 0.0), -parts)

    return tuple(sorted(members, key=key))
