"""A row that is being answered, token by token."""

from __future__ import annotations

from dataclasses import dataclass

from evomerge_quant.resident.answering.ending import Ending, find_ending
from evomerge_quant.resident.answering.rows import QuestionRow
from evomerge_quant.resident.answering.vocabulary import Vocabulary


@dataclass(frozen=True)
class LiveRow:
    """`tokens` are those of the answer so far, at least one."""

    row: QuestionRow
    tokens: list[int]

    @property
    def cached(self) -> int:
        """Columns that the row has in the cache: all its tokens but the last."""
        return len(self.row.prompt) + len(self.tokens) - 1

    def take(self, token: int, vocabulary: Vocabulary) -> Ending | None:
        """Adds the answer's next token; its ending where that token is the last."""
        self.tokens.append(token)
        return find_ending(self.tokens, len(self.tokens) - 1, self.row.question, vocabulary)
