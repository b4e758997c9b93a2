"""Talking with one model, or with two side by side, on a terminal or through a pipe."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from threading import Event
from types import FrameType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from evomerge_quant.chat.chat import Chat, Piece, Reply, StoppedBy, Trimmed
from evomerge_quant.chat.conversation import Conversation
from evomerge_quant.chat.sampling import Sampling
from evomerge_tui.text.shown_text import many_lines, one_line

# Two columns narrower than this read badly.
_WIDE = 100
_ENDINGS: Mapping[StoppedBy, str] = {
    "end": "",
    "max_tokens": ", cut off at the limit of tokens",
    "context": ", cut off: the context is full",
    "stop": ", stopped",
}


@dataclass
class Seat:
    """A model at the table, what was said with it, and how it chooses its words."""

    name: str
    chat: Chat
    conversation: Conversation
    sampling: Sampling


@dataclass(frozen=True)
class Heard:
    """A seat's answer: its reply, and how many of the oldest turns had to go for it."""

    reply: Reply
    trimmed: int


def ask(seats: Sequence[Seat], text: str, console: Console) -> list[Heard]:
    """Puts a message to every seat and shows the answers as they come; ctrl+c ends them, and the conversation goes on.

    InputError when a message is too long; then the conversations are as they were.
    """
    with _interruptible() as stop:
        streams = [seat.chat.reply(seat.conversation.plus("user", text), seat.sampling, stop) for seat in seats]
        if len(seats) > 1 and console.is_terminal and console.width >= _WIDE:
            heard = _side_by_side(seats, streams, console)
        else:
            heard = [
                _one_after_another(seat, stream, console, len(seats) > 1) for seat, stream in zip(seats, streams, strict=True)
            ]
    for seat, one in zip(seats, heard, strict=True):
        seat.conversation = one.reply.conversation
    return heard


def listen(seat: Seat, text: str) -> Heard:
    """Puts a message to a seat and shows nothing."""
    with _interruptible() as stop:
        events = list(seat.chat.reply(seat.conversation.plus("user", text), seat.sampling, stop))
    trimmed = sum(event.turns for event in events if isinstance(event, Trimmed))
    return Heard(next(event for event in events if isinstance(event, Reply)), trimmed)


def summary(heard: Heard) -> str:
    """`12 tokens, 34.5 tokens/s`, and what was not as one might expect."""
    reply = heard.reply
    trimmed = f"; no room: the oldest {heard.trimmed} turns were left out" if heard.trimmed else ""
    return f"{reply.tokens} tokens, {reply.tokens_per_second:.1f} tokens/s{_ENDINGS[reply.stopped_by]}{trimmed}"


def _one_after_another(seat: Seat, stream: Iterator[Trimmed | Piece | Reply], console: Console, named: bool) -> Heard:
    if named:
        console.print(Text(one_line(seat.name), style="bold"))
    trimmed = 0
    for event in stream:
        if isinstance(event, Trimmed):
            trimmed = event.turns
        elif isinstance(event, Piece):
            console.print(Text(many_lines(event.text)), end="", soft_wrap=True)
        else:
            heard = Heard(event, trimmed)
    console.print()
    if console.is_terminal or trimmed:
        console.print(Text(summary(heard), style="dim"))
    return heard


def _side_by_side(seats: Sequence[Seat], streams: Sequence[Iterator[Trimmed | Piece | Reply]], console: Console) -> list[Heard]:
    """Both write in turns, a token each, so that they grow together."""
    texts = [""] * len(seats)
    trimmed = [0] * len(seats)
    heard: dict[int, Heard] = {}
    with Live(console=console, transient=True, refresh_per_second=8, vertical_overflow="crop") as live:
        for events in zip_longest(*streams):
            for number, event in enumerate(events):
                if isinstance(event, Trimmed):
                    trimmed[number] = event.turns
                elif isinstance(event, Piece):
                    texts[number] += event.text
                elif isinstance(event, Reply):
                    heard[number] = Heard(event, trimmed[number])
            live.update(_columns(seats, texts, [""] * len(seats)))
    found = [heard[number] for number in range(len(seats))]
    console.print(_columns(seats, texts, [summary(one) for one in found]))
    return found


def _columns(seats: Sequence[Seat], texts: Sequence[str], ends: Sequence[str]) -> Table:
    table = Table(box=None, expand=True, padding=(0, 2, 0, 0), show_footer=any(ends))
    for seat, end in zip(seats, ends, strict=True):
        table.add_column(Text(one_line(seat.name)), footer=Text(end, style="dim"), ratio=1, overflow="fold")
    table.add_row(*(Text(many_lines(text)) for text in texts))
    return table


@contextmanager
def _interruptible() -> Iterator[Event]:
    """Within it ctrl+c sets the event; a second one interrupts."""
    stop = Event()

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
