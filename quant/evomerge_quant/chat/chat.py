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
from evomerge_quant.chat.context_size import open_context
from evomerge_quant.chat.conversation import Conversation
from evomerge_quant.chat.sampling import Sampler, Sampling, file_sampling
from evomerge_quant.chat.template import Render, chat_template
from evomerge_quant.llama.context import LlamaContext, LlamaError, TokenRun
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
    """An open GGUF with its template, its recommended sampling, and the part of the conversation that it has already read."""

    def __init__(self, model: LlamaModel, context: LlamaContext, render: Render) -> None:
        self.model = model
        self.context = context
        self.render = render
        self.sampling = file_sampling(model)
        self._read: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees the model."""
        self.context.close()
        self.model.close()

    def reply(self, conversation: Conversation, sampling: Sampling, stop: Event) -> Iterator[Trimmed | Piece | Reply]:
        """Answers the last message, which is the user's: pieces, then the `Reply`; `Trimmed` before them where it applies.

        `stop` ends the answer at the next token. InputError when the last message alone is too long for the context.
        """
        conversation, tokens, dropped = self._fitting(conversation, sampling)
        if dropped:
            yield Trimmed(dropped)
        if not self._take(tokens, stop):
            yield Reply("", conversation.without_last(), 0, 0.0, len(tokens), "stop")
            return
        yield from self._write(conversation, tokens, sampling, stop)

    def _fitting(self, conversation: Conversation, sampling: Sampling) -> tuple[Conversation, list[int], int]:
        """The conversation without its oldest turns where there is no room, its tokens, and how many turns went."""
        room = self.context.cells - min(sampling.max_tokens, self.context.cells // _ANSWER_SHARE)
        dropped = 0
        while True:
            tokens = self.model.tokenize(self.render(conversation.messages))
            if len(tokens) <= room:
                return conversation, tokens, dropped
            shorter = conversation.without_oldest_turn()
            if shorter is None:
                raise InputError(
                    f"the message has {len(tokens)} tokens with its template; the context has room for {room}: shorten it"
                )
            conversation, dropped = shorter, dropped + 1

    def _take(self, tokens: Sequence[int], stop: Event) -> bool:
        """Reads what the context does not hold yet; False when it was stopped. The logits after the last token are there."""
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self._read, tokens, strict=False)))
        same = min(same, len(tokens) - 1)
        if not self.context.cut(0, same):
            self.context.clear()
            same = 0
        del self._read[same:]
        for start in range(same, len(tokens), _CHUNK):
            if stop.is_set():
                return False
            chunk = tokens[start : start + _CHUNK]
            self.context.read([TokenRun(0, start, chunk, wanted=1)])
            self._read += chunk
        return True

    def _write(
        self, conversation: Conversation, prompt: Sequence[int], sampling: Sampling, stop: Event
    ) -> Iterator[Piece | Reply]:
        started = time.perf_counter()
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        answer, count = "", 0
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
                if len(self._read) == self.context.cells:
                    stopped_by = "context"
                    break
                self.context.read([TokenRun(0, len(self._read), [token], wanted=1)])
                self._read.append(token)
        seconds = time.perf_counter() - started
        if text := decoder.decode(b"", final=True):
            answer += text
            yield Piece(text)
        whole = conversation.plus("assistant", answer) if answer else conversation.without_last()
        yield Reply(answer, whole, count, seconds, len(prompt), stopped_by)


def open_chat(path: Path, *, context: int | None = None, share: float = 1.0) -> Chat:
    """Opens a GGUF for a chat, on the GPU when the installed build can use one. InputError when it can't be opened.

    `context` is the longest conversation in tokens, else as long as model and memory allow; `share` is the part of the free
    memory for this one of several.
    """
    try_gguf(path)
    model = open_gguf(path)
    try:
        render = chat_template(model)
        return Chat(model, open_context(model, context, share=share), render)
    except LlamaError as error:
        model.close()
        raise InputError(
            f"{path}: no memory for a conversation ({error}); close other programs or use a smaller file"
        ) from None
    except InputError:
        model.close()
        raise
