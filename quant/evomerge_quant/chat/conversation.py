"""A conversation: frozen messages, and which to drop first when it is too long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

from evomerge_core.files.picture import Picture

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One message and who it is from; its pictures come before its text."""

    role: Role
    text: str
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Conversation:
    """Messages in order; a system message, if there is one, is the first."""

    messages: tuple[Message, ...] = ()

    @classmethod
    def begin(cls, system: str | None) -> Self:
        """An empty conversation, with a system message or without."""
        return cls(() if system is None else (Message("system", system),))

    @property
    def system(self) -> str | None:
        """The system message's text."""
        first = self.messages[:1]
        return first[0].text if first and first[0].role == "system" else None

    def plus(self, role: Role, text: str, pictures: Sequence[Picture] = ()) -> Self:
        """The conversation with one more message."""
        return replace(self, messages=(*self.messages, Message(role, text, tuple(pictures))))

    def without_last(self) -> Self:
        """The conversation before its last message."""
        return replace(self, messages=self.messages[:-1])

    def without_oldest_turn(self) -> Self | None:
        """The conversation without its oldest question and the answer to it; None when the last question is all there is.

        The system message stays.
        """
        asked = [number for number, message in enumerate(self.messages) if message.role == "user"]
        if len(asked) < 2:
            return None
        return replace(self, messages=(*self.messages[: asked[0]], *self.messages[asked[1] :]))
