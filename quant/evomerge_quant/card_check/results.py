"""What a check of a card found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "bad", "skipped"]


@dataclass(frozen=True)
class CardResult:
    """`subject` is what was tried, `text` what was seen; `figures` are the numbers in it, by name."""

    subject: str
    state: State
    text: str
    figures: dict[str, float]


@dataclass(frozen=True)
class CardReport:
    """All results of one card, with the versions that they hold for and the size of the model."""

    card: str
    versions: dict[str, str]
    size: str
    parameters: int
    seconds: float
    results: tuple[CardResult, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return all(result.state != "bad" for result in self.results)


def result(subject: str, good: bool, text: str, **figures: float) -> CardResult:
    """The result of something that is right or wrong."""
    return CardResult(subject, "ok" if good else "bad", text, figures)
