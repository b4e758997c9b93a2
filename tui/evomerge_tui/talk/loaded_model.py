"""A model that is open for a chat with its own conversation, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evomerge_core.files.picture import Picture
from evomerge_quant.chat.chat import Chat, Reply, StoppedBy
from evomerge_quant.chat.conversation import Conversation
from evomerge_quant.chat.sampling import Sampling
from evomerge_tui.talk.picture_paths import read_pictures

_ENDINGS: Mapping[StoppedBy, str] = {
    "end": "",
    "max_tokens": ", cut off at the token limit",
    "context": ", cut off: the context is full",
    "stop": ", stopped",
}


@dataclass
class LoadedModel:
    """An open model with a name to show, its conversation so far, and how it samples tokens; `shown` are the pictures that the
    next message shows."""

    name: str
    chat: Chat
    conversation: Conversation
    sampling: Sampling
    shown: tuple[Picture, ...] = ()

    def asked(self, text: str) -> Conversation:
        """The conversation with the user's next message."""
        return self.conversation.plus("user", text, self.shown)


def show_pictures(models: Sequence[LoadedModel], paths: Sequence[Path]) -> None:
    """Has every model's next message show these too. InputError where one can't see, and for what is no picture."""
    if not paths:
        return
    for model in models:
        model.chat.open_eyes()
    pictures = read_pictures(paths)
    for model in models:
        model.shown += pictures


@dataclass(frozen=True)
class ChatAnswer:
    """A model's reply, and how many of the oldest turns were left out to make room for it."""

    reply: Reply
    trimmed: int


def summary(answer: ChatAnswer) -> str:
    """`12 tokens, 34.5 tokens/s`, why it was cut off if it was, and how many turns were left out if any."""
    reply = answer.reply
    trimmed = f"; no room: the oldest {answer.trimmed} turns were left out" if answer.trimmed else ""
    return f"{reply.tokens} tokens, {reply.tokens_per_second:.1f} tokens/s{_ENDINGS[reply.stopped_by]}{trimmed}"
