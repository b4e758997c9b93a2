"""A conversation with one model or two, in a thread of its own: llama.cpp's objects never leave it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from queue import SimpleQueue
from threading import Event

from evomerge_core.errors import InputError
from evomerge_core.files.picture import Picture
from evomerge_quant.chat.chat import Piece, Reply, Trimmed
from evomerge_quant.chat.conversation import Conversation
from evomerge_quant.chat.sampling import Sampling
from evomerge_tui.talk.loaded_model import ChatAnswer, LoadedModel


@dataclass(frozen=True)
class ModelsOpened:
    """The models are open: their files, how they sample tokens, and how many tokens a conversation may have."""

    files: tuple[Path, ...]
    sampling: Sampling
    context: int


@dataclass(frozen=True)
class AnswerPiece:
    """A piece of an answer; `model` is the number of the model that writes it."""

    model: int
    text: str


@dataclass(frozen=True)
class Answered:
    """All models have finished; an answer is None where the model could not give one."""

    answers: tuple[ChatAnswer | None, ...]


@dataclass(frozen=True)
class ChatFailed:
    """A request failed; the conversation is unchanged."""

    reason: str


ChatEvent = ModelsOpened | AnswerPiece | Answered | ChatFailed


class ChatThread:
    """`run` carries out requests in the thread that calls it, and hands each event to `notify`; all other methods may be
    called from any thread."""

    def __init__(self, notify: Callable[[ChatEvent], None]) -> None:
        self._notify = notify
        self._requests: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._stop = Event()
        self._models: list[LoadedModel] = []
        self._resources = ExitStack()

    def open_models(self, files: Sequence[Path], system: str | None = None, said: Conversation | None = None) -> None:
        """Opens these models in place of those that are open, and begins a conversation, or goes on from what was `said`."""
        self._requests.put(lambda: self._open_models(files, said or Conversation.begin(system)))

    def ask(self, text: str, pictures: tuple[Picture, ...] = ()) -> None:
        """Sends a message to every model; a `stop` from now on ends the answer, even before its first token."""
        self._stop.clear()
        self._requests.put(lambda: self._ask(text, pictures))

    def clear(self, system: str | None) -> None:
        """Starts a new conversation with this system message."""
        self._requests.put(lambda: self._clear(system))

    def set_sampling(self, sampling: Sampling) -> None:
        """Changes how all models sample tokens."""
        self._requests.put(lambda: self._set_sampling(sampling))

    def stop(self) -> None:
        """Ends the answer that is being written."""
        self._stop.set()

    def close(self) -> None:
        """Ends `run`, which closes the models."""
        self._stop.set()
        self._requests.put(None)

    def run(self) -> None:
        """Carries out requests until `close`."""
        with self._resources:
            while (request := self._requests.get()) is not None:
                try:
                    request()
                except InputError as error:
                    self._notify(ChatFailed(str(error)))

    def _open_models(self, files: Sequence[Path], begun: Conversation) -> None:
        from evomerge_quant.chat.chat import open_chat

        self._resources.close()
        self._models = []
        try:
            for number, file in enumerate(files):
                chat = self._resources.enter_context(open_chat(file, share=1 / (len(files) - number)))
                self._models.append(LoadedModel(file.name, chat, begun, chat.sampling))
        except InputError:
            self._resources.close()
            self._models = []
            raise
        first = self._models[0]
        self._notify(ModelsOpened(tuple(files), first.sampling, min(model.chat.context.cells for model in self._models)))

    def _clear(self, system: str | None) -> None:
        for model in self._models:
            model.conversation = Conversation.begin(system)

    def _set_sampling(self, sampling: Sampling) -> None:
        for model in self._models:
            model.sampling = sampling

    def _ask(self, text: str, pictures: tuple[Picture, ...]) -> None:
        """The models write in turns, one token each, so that both answers grow together."""
        streams = [
            model.chat.reply(model.conversation.plus("user", text, pictures), model.sampling, self._stop)
            for model in self._models
        ]
        answers: list[ChatAnswer | None] = [None] * len(streams)
        trimmed = [0] * len(streams)
        for events in zip_longest(*(self._guarded(stream) for stream in streams)):
            for number, event in enumerate(events):
                if isinstance(event, Trimmed):
                    trimmed[number] = event.turns
                elif isinstance(event, Piece):
                    self._notify(AnswerPiece(number, event.text))
                elif isinstance(event, Reply):
                    answers[number] = ChatAnswer(event, trimmed[number])
                    self._models[number].conversation = event.conversation
        self._notify(Answered(tuple(answers)))

    def _guarded(self, stream: Iterator[Trimmed | Piece | Reply]) -> Iterator[Trimmed | Piece | Reply]:
        """The message may be too long for one model and not for the other, or show a picture that one can't see."""
        try:
            yield from stream
        except InputError as error:
            self._notify(ChatFailed(str(error)))
