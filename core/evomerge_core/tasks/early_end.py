"""When an answer's score is certain before the answer is over, so that the model may stop writing it."""

from __future__ import annotations

import unicodedata
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
        settled = _settled(text)
        return any(fold(reference) in settled for reference in self.references)


def _settled(text: str) -> str:
    """The folded text without its last letter and that letter's accents: an accent that follows may still change it."""
    folded = fold(text.rstrip(_UNFINISHED))
    while folded and unicodedata.combining(folded[-1]):
        folded = folded[:-1]
    return folded[:-1]
