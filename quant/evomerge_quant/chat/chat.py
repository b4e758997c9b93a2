"""A chat with a GGUF: answers in pieces, and a context that is kept and trimmed."""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from threading import Event
from typing import Literal, Self

from evomerge_core.errors import InputError
from evomerge_core.files.picture import Picture
from evomerge_quant.chat.context_size import open_context
from evomerge_quant.chat.conversation import Conversation
from evomerge_quant.chat.sampling import Sampler, Sampling, file_sampling
from evomerge_quant.chat.template import Render, chat_template
from evomerge_quant.llama.context import LlamaContext, LlamaError
from evomerge_quant.llama.eyes import (
    LlamaEyes,
    PictureSpan,
    Unit,
    cells_of,
    open_eyes,
    positions_of,
    prompt_units,
    read_units,
    runs,
)
from evomerge_quant.llama.mmproj_file import find_mmproj
from evomerge_quant.llama.model import LlamaModel, open_gguf
from evomerge_quant.llama.trial import try_gguf

StoppedBy = Literal["end", "max_tokens", "context", "stop"]
# Tokens that are read between two looks at `stop`.
_CHUNK = 128
# The part of the context that is left for an answer, whatever its limit.
_ANSWER_SHARE = 4


@dataclass(frozen=True)
class Trimmed:
    """The conversation was too long: so many of the oldest turns (question and answer) were left out."""

    turns: int


@dataclass(frozen=True)
class Piece:
    """The next piece of the answer, whole characters."""

    text: str


@dataclass(frozen=True)
class Reply:
    """The end of an answer, and the conversation including it.

    A stopped answer is kept as far as it was written; when it was stopped before its first word, neither it nor its question
    is in the conversation. `tokens` were written in `seconds`; `prompt_tokens` are all that the answer could look back on.
    """

    text: str
    conversation: Conversation
    tokens: int
    seconds: float
    prompt_tokens: int
    stopped_by: StoppedBy

    @property
    def tokens_per_second(self) -> float:
        """Written tokens a second, reading the prompt not counted; 0 when none was written."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0


class Chat:
    """An open GGUF with its template, its recommended sampling, and the part of the conversation that it has already read.

    `mmproj` is the file that it sees with, opened for the first picture; None for a model that can't see.
    """

    def __init__(self, model: LlamaModel, context: LlamaContext, render: Render, mmproj: Path | None = None) -> None:
        self.model = model
        self.context = context
        self.render = render
        self.mmproj = mmproj
        self.sampling = file_sampling(model)
        self._eyes: LlamaEyes | None = None
        self._seen: dict[str, tuple[Unit, ...]] = {}
        self._read: list[Unit] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees the model."""
        self._seen.clear()
        self._read.clear()
        if self._eyes is not None:
            self._eyes.close()
        self.context.close()
        self.model.close()

    def open_eyes(self) -> LlamaEyes:
        """What the model sees with. InputError for a model that can't see, and for a file that can't be opened."""
        if self._eyes is None:
            if self.mmproj is None:
                raise InputError(
                    "can't see pictures: no mmproj file of its own lies beside it",
                    where=self.model.path,
                    remedy="put the model's own there, or give it with --mmproj; a text model has none",
                )
            try_gguf(self.model.path, self.mmproj)
            self._eyes = open_eyes(self.model, self.mmproj)
        return self._eyes

    def reply(self, conversation: Conversation, sampling: Sampling, stop: Event) -> Iterator[Trimmed | Piece | Reply]:
        """Answers the last message, which is the user's: pieces, then the `Reply`; `Trimmed` before them where it applies.

        `stop` ends the answer at the next token. InputError when the last message alone is too long for the context, and for
        a picture that the model can't see.
        """
        conversation, units, dropped = self._fitting(conversation, sampling)
        if dropped:
            yield Trimmed(dropped)
        if not self._take(units, stop):
            yield Reply("", conversation.without_last(), 0, 0.0, cells_of(units), "stop")
            return
        yield from self._write(conversation, cells_of(units), sampling, stop)

    def _fitting(self, conversation: Conversation, sampling: Sampling) -> tuple[Conversation, list[Unit], int]:
        """The conversation without its oldest turns where there is no room, its units, and how many turns went."""
        room = self.context.cells - min(sampling.max_tokens, self.context.cells // _ANSWER_SHARE)
        dropped = 0
        while True:
            units = self._units(conversation)
            if cells_of(units) <= room:
                return conversation, units, dropped
            shorter = conversation.without_oldest_turn()
            if shorter is None:
                remedy = "shorten it, or show a smaller picture" if conversation.messages[-1].pictures else "shorten it"
                raise InputError(
                    f"the message has {cells_of(units)} tokens with its template; the context has room for {room}: {remedy}"
                )
            conversation, dropped = shorter, dropped + 1

    def _units(self, conversation: Conversation) -> list[Unit]:
        """Tokens, and what stands for the pictures; each goes through the tower once as long as the conversation shows it."""
        shown = {picture.sha256: picture for message in conversation.messages for picture in message.pictures}
        self._seen = {sha256: self._seen.get(sha256) or self._look(picture) for sha256, picture in shown.items()}
        parts = [part if isinstance(part, str) else self._seen[part.sha256] for part in self.render(conversation.messages)]
        return prompt_units(parts, self.model.tokenize, self._eyes.around if self._eyes else "")

    def _look(self, picture: Picture) -> tuple[Unit, ...]:
        try:
            return self.open_eyes().look(picture)
        except LlamaError as error:
            width, height = picture.image.size
            problem = f"llama.cpp can't show the model a picture of {width} x {height} pixels ({error})"
            raise InputError(problem, remedy="crop or resize it") from None

    def _take(self, units: Sequence[Unit], stop: Event) -> bool:
        """Reads what the context does not hold yet; False when it was stopped. The logits after the last token are there."""
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self._read, units, strict=False)))
        same = min(same, len(units) - 1)
        if not self.context.cut(0, positions_of(units[:same])):
            self.context.clear()
            same = 0
        del self._read[same:]
        for run in runs(units[same:]):
            for chunk in _chunks(run):
                if stop.is_set():
                    return False
                self._read_on(chunk)
        return True

    def _read_on(self, units: Sequence[Unit]) -> None:
        try:
            read_units(self.context, self._eyes, units, position=positions_of(self._read), wanted=1)
        except LlamaError as error:
            # what of it was read isn't known
            self.context.clear()
            self._read.clear()
            raise InputError(f"{self.model.path}: llama.cpp can't read on ({error}); /clear the conversation") from None
        self._read += units

    def _write(self, conversation: Conversation, prompt: int, sampling: Sampling, stop: Event) -> Iterator[Piece | Reply]:
        started = time.perf_counter()
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        answer, count, cells = "", 0, prompt
        stopped_by: StoppedBy = "max_tokens"
        with Sampler(self.model, sampling) as sampler:
            while count < sampling.max_tokens:
                if stop.is_set():
                    stopped_by = "stop"
                    break
                token = sampler.choose(self.context)
                count += 1
                if token in self.model.ends:
                    stopped_by = "end"
                    break
                if text := decoder.decode(self.model.piece(token)):
                    answer += text
                    yield Piece(text)
                if cells == self.context.cells:
                    stopped_by = "context"
                    break
                self._read_on([token])
                cells += 1
        seconds = time.perf_counter() - started
        if text := decoder.decode(b"", final=True):
            answer += text
            yield Piece(text)
        whole = conversation.plus("assistant", answer) if answer else conversation.without_last()
        yield Reply(answer, whole, count, seconds, prompt, stopped_by)


def _chunks(run: list[int] | PictureSpan) -> Iterator[Sequence[Unit]]:
    """Tokens that are read at a time, or a part of a picture."""
    if isinstance(run, PictureSpan):
        yield [run]
        return
    for start in range(0, len(run), _CHUNK):
        yield run[start : start + _CHUNK]


def open_chat(path: Path, *, context: int | None = None, share: float = 1.0, mmproj: Path | None = None) -> Chat:
    """Opens a GGUF for a chat, on the GPU when the installed build can use one. InputError when it can't be opened.

    `context` is the longest conversation in tokens, else as long as model and memory allow; `share` is the part of the free
    memory for this one of several. `mmproj` is the file that it sees with, else the one that lies beside it.
    """
    try_gguf(path)
    model = open_gguf(path)
    try:
        render = chat_template(model)
        chat = Chat(model, open_context(model, context, share=share), render, mmproj or find_mmproj(path))
        if mmproj is not None:
            chat.open_eyes()
        return chat
    except LlamaError as error:
        model.close()
        raise InputError(
            f"{path}: no memory for a conversation ({error}); close other programs or use a smaller file"
        ) from None
    except InputError:
        model.close()
        raise
