"""How long the rows are that a model answers, as far as memory goes by it; nothing here loads torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RowLengths:
    """In tokens, each the most that any row has: `read` at once, of which all rows share the first `shared`; `whole`, the
    prompt with what is written after it (0 where nothing is); `judged`, those after which logits are wanted."""

    read: int
    whole: int
    judged: int
    shared: int = 0

    def or_longer(self, other: RowLengths) -> RowLengths:
        """The lengths of both rows together."""
        return RowLengths(
            max(self.read, other.read),
            max(self.whole, other.whole),
            max(self.judged, other.judged),
            min(self.shared, other.shared),
        )
