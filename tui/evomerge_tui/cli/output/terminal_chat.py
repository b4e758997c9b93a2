"""A chat with one model, or with two side by side, on a terminal or through a pipe."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from threading import Event
from types import FrameType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from evomerge_quant.chat.chat import Piece, Reply, Trimmed
from evomerge_tui.talk.loaded_model import ChatAnswer, LoadedModel, summary
from evomerge_tui.text.shown_text import many_lines, one_line

# Two columns narrower than this read badly.
_WIDE = 100


def ask(models: Sequence[LoadedModel], text: str, console: Console) -> list[ChatAnswer]:
    """Sends a message to every model and shows the answers as they are written; ctrl+c ends the answers, not the chat.

    InputError when a message is too long; the conversations are then unchanged. Pictures are shown once.
    """
    asked = [model.asked(text) for model in models]
    for model in models:
        model.shown = ()
    with _interruptible() as stop:
        streams = [model.chat.reply(one, model.sampling, stop) for model, one in zip(models, asked, strict=True)]
        if len(models) > 1 and console.is_terminal and console.width >= _WIDE:
            answers = _side_by_side(models, streams, console)
        else:
            answers = [
                _one_after_another(model, stream, console, len(models) > 1)
                for model, stream in zip(models, streams, strict=True)
            ]
    for model, answer in zip(models, answers, strict=True):
        model.conversation = answer.reply.conversation
    return answers


def ask_quietly(model: LoadedModel, text: str) -> ChatAnswer:
    """Sends a message to one model and shows nothing."""
    with _interruptible() as stop:
        events = list(model.chat.reply(model.asked(text), model.sampling, stop))
    trimmed = sum(event.turns for event in events if isinstance(event, Trimmed))
    return ChatAnswer(next(event for event in events if isinstance(event, Reply)), trimmed)


def _one_after_another(
    model: LoadedModel, stream: Iterator[Trimmed | Piece | Reply], console: Console, named: bool
) -> ChatAnswer:
    if named:
        console.print(Text(one_line(model.name), style="bold"))
    trimmed = 0
    for event in stream:
        if isinstance(event, Trimmed):
            trimmed = event.turns
        elif isinstance(event, Piece):
            console.print(Text(many_lines(event.text)), end="", soft_wrap=True)
        else:
            answer = ChatAnswer(event, trimmed)
    console.print()
    if console.is_terminal or trimmed:
        console.print(Text(summary(answer), style="dim"))
    return answer


def _side_by_side(
    models: Sequence[LoadedModel], streams: Sequence[Iterator[Trimmed | Piece | Reply]], console: Console
) -> list[ChatAnswer]:
    """The models write in turns, one token each, so that both answers grow together."""
    texts = [""] * len(models)
    trimmed = [0] * len(models)
    answers: dict[int, ChatAnswer] = {}
    with Live(console=console, transient=True, refresh_per_second=8, vertical_overflow="crop") as live:
        for events in zip_longest(*streams):
            for number, event in enumerate(events):
                if isinstance(event, Trimmed):
                    trimmed[number] = event.turns
                elif isinstance(event, Piece):
                    texts[number] += event.text
                elif isinstance(event, Reply):
                    answers[number] = ChatAnswer(event, trimmed[number])
            live.update(_columns(models, texts, [""] * len(models)))
    ordered = [answers[number] for number in range(len(models))]
    console.print(_columns(models, texts, [summary(answer) for answer in ordered]))
    return ordered


def _columns(models: Sequence[LoadedModel], texts: Sequence[str], ends: Sequence[str]) -> Table:
    table = Table(box=None, expand=True, padding=(0, 2, 0, 0), show_footer=any(ends))
    for model, end in zip(models, ends, strict=True):
        table.add_column(Text(one_line(model.name)), footer=Text(end, style="dim"), ratio=1, overflow="fold")
    table.add_row(*(Text(many_lines(text)) for text in texts))
    return table


@contextmanager
def _interruptible() -> Iterator[Event]:
    """While it is open, ctrl+c sets the event; a second ctrl+c interrupts."""
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
