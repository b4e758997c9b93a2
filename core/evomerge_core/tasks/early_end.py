"""When an answer's score is certain before the answer is over, so that the model may stop writing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evomerge_core.tasks.folded_text import fold

# Half a character, as a tokenizer decodes it.
_UNFINISHED = "\ufffd"


@dataclass(frozen=True)
class Decision:
    """`exact`: the score is 0 once the answer is not the beginning of a reference. `contains`: it is 1 once one has come.

    Other scorers look at an answer's end (its last number, its last match), which only the end decides.
    """

    scorer: Literal["exact", "contains"]
    references: tuple[str, ...]

    def made(self, text: str) -> bool:
        """Whether nothing that may follow `text` changes the score."""
        if self.scorer == "exact":
            begun = text.rstrip(_UNFINISHED).strip()
            return not any(reference.strip().startswith(begun) for reference in self.references)
        # what follows may still change the last character (an accent, say)
        settled = fold(text[:-1])
        return any(fold(reference) in settled for reference in self.references)
