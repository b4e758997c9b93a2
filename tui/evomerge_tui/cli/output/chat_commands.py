"""What one can type in a chat besides messages: lines that begin with a slash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields

from evomerge_core.errors import InputError
from evomerge_core.nearest_name import unknown_name
from evomerge_quant.chat.conversation import Conversation
from evomerge_quant.chat.sampling import Sampling
from evomerge_tui.cli.output.terminal_chat import Seat

_HELP = """/clear               forget what was said; the system message stays
/system [TEXT]       begin anew with this system message, or with none
/settings            show how the next token is chosen
/settings NAME VALUE change it, as in: /settings temperature 0.2
/help                this text
ctrl+c ends an answer, ctrl+d ends the chat"""


def carry_out(line: str, seats: Sequence[Seat]) -> str:
    """Carries a command out at every seat; gives what there is to say. InputError for a command that isn't known."""
    name, _, rest = line.strip().partition(" ")
    commands = {"/clear": _clear, "/system": _system, "/settings": _settings, "/help": _help}
    if name not in commands:
        raise InputError(unknown_name("command", name, commands))
    return commands[name](rest.strip(), seats)


def _help(_rest: str, _seats: Sequence[Seat]) -> str:
    return _HELP


def _clear(rest: str, seats: Sequence[Seat]) -> str:
    if rest:
        raise InputError("/clear: takes nothing after it")
    for seat in seats:
        seat.conversation = Conversation.begin(seat.conversation.system)
    return "cleared"


def _system(rest: str, seats: Sequence[Seat]) -> str:
    for seat in seats:
        seat.conversation = Conversation.begin(rest or None)
    return "begun anew with this system message" if rest else "begun anew without a system message"


def _settings(rest: str, seats: Sequence[Seat]) -> str:
    if rest:
        name, _, value = rest.partition(" ")
        changed = [seat.sampling.changed(**{name: _number(name, value)}) for seat in seats]
        for seat, sampling in zip(seats, changed, strict=True):
            seat.sampling = sampling
    return "\n".join(_listed(seat, named=len(seats) > 1) for seat in seats)


def _number(name: str, value: str) -> float | int:
    types = {field.name: str(field.type) for field in fields(Sampling)}
    whole = types.get(name, "float").startswith("int")
    try:
        return int(value) if whole else float(value)
    except ValueError:
        raise InputError(f"/settings {name} {value}: must be a {'whole ' if whole else ''}number") from None


def _listed(seat: Seat, *, named: bool) -> str:
    values = asdict(seat.sampling) | {"seed": "random" if seat.sampling.seed is None else seat.sampling.seed}
    line = "  ".join(f"{name} {value}" for name, value in values.items())
    return f"{seat.name}: {line}" if named else f"{line}  context {seat.chat.context.cells}"
