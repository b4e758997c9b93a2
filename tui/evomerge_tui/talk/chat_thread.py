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
from evomerge_quant.chat.chat import Piece, Reply, Trimmed
from evomerge_quant.chat.conversation import Conversation
from evomerge_quant.chat.sampling import Sampling
from evomerge_tui.cli.output.terminal_chat import Heard, Seat


@dataclass(frozen=True)
class Seated:
    """The models are open: their files, how they choose their words, and how many tokens a conversation may have."""

    files: tuple[Path, ...]
    sampling: Sampling
    context: int


@dataclass(frozen=True)
class Said:
    """A piece of the answer of a seat."""

    seat: int
    text: str


@dataclass(frozen=True)
class Answered:
    """All seats have answered; one of them is None when it could not."""

    heard: tuple[Heard | None, ...]


@dataclass(frozen=True)
class Trouble:
    """Something did not work; the conversation is as it was."""

    reason: str


RoomEvent = Seated | Said | Answered | Trouble


class ChatRoom:
    """`run` carries out what is asked for, in the thread that calls it, and `tell`s what happens; all else may be called
    from anywhere."""

    def __init__(self, tell: Callable[[RoomEvent], None]) -> None:
        self._tell = tell
        self._wishes: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._stop = Event()
        self._seats: list[Seat] = []
        self._open = ExitStack()

    def seat(self, files: Sequence[Path], system: str | None = None) -> None:
        """Opens these models in place of those that are open, and begins anew."""
        self._wishes.put(lambda: self._seat(files, system))

    def ask(self, text: str) -> None:
        """Puts a message to every seat; a `stop` from now on ends the answer, though it may not have begun."""
        self._stop.clear()
        self._wishes.put(lambda: self._ask(text))

    def clear(self, system: str | None) -> None:
        """Forgets what was said."""
        self._wishes.put(lambda: self._clear(system))

    def choose(self, sampling: Sampling) -> None:
        """Another way to choose words."""
        self._wishes.put(lambda: self._choose(sampling))

    def stop(self) -> None:
        """Ends the answer that is being written."""
        self._stop.set()

    def leave(self) -> None:
        """Ends `run`, and the models with it."""
        self._stop.set()
        self._wishes.put(None)

    def run(self) -> None:
        """Until `leave`."""
        with self._open:
            while (wish := self._wishes.get()) is not None:
                try:
                    wish()
                except InputError as error:
                    self._tell(Trouble(str(error)))

    def _seat(self, files: Sequence[Path], system: str | None) -> None:
        from evomerge_quant.chat.chat import open_chat

        self._open.close()
        self._seats = []
        try:
            for number, file in enumerate(files):
                chat = self._open.enter_context(open_chat(file, share=1 / (len(files) - number)))
                self._seats.append(Seat(file.name, chat, Conversation.begin(system), chat.sampling))
        except InputError:
            self._open.close()
            self._seats = []
            raise
        first = self._seats[0]
        self._tell(Seated(tuple(files), first.sampling, min(seat.chat.context.cells for seat in self._seats)))

    def _clear(self, system: str | None) -> None:
        for seat in self._seats:
            seat.conversation = Conversation.begin(system)

    def _choose(self, sampling: Sampling) -> None:
        for seat in self._seats:
            seat.sampling = sampling

    def _ask(self, text: str) -> None:
        """Both write in turns, a token each, so that they grow together."""
        streams = [seat.chat.reply(seat.conversation.plus("user", text), seat.sampling, self._stop) for seat in self._seats]
        heard: list[Heard | None] = [None] * len(streams)
        trimmed = [0] * len(streams)
        for events in zip_longest(*(self._guarded(stream) for stream in streams)):
            for number, event in enumerate(events):
                if isinstance(event, Trimmed):
                    trimmed[number] = event.turns
                elif isinstance(event, Piece):
                    self._tell(Said(number, event.text))
                elif isinstance(event, Reply):
                    heard[number] = Heard(event, trimmed[number])
                    self._seats[number].conversation = event.conversation
        self._tell(Answered(tuple(heard)))

    def _guarded(self, stream: Iterator[Trimmed | Piece | Reply]) -> Iterator[Trimmed | Piece | Reply]:
        """One seat's message may be too long where the other's is not."""
        try:
            yield from stream
        except InputError as error:
            self._tell(Trouble(str(error)))
