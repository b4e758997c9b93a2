"""The commands of a chat: lines that begin with a slash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields

from evomerge_core.errors import InputError, unknown_name
from evomerge_quant.chat.conversation import Conversation
from evomerge_quant.chat.sampling import Sampling
from evomerge_tui.talk.loaded_model import LoadedModel

_HELP = """/clear               start over; the system message stays
/system [TEXT]       start over with this system message, or with none
/settings            show how tokens are sampled
/settings NAME VALUE change a setting, for example: /settings temperature 0.2
/image FILE [TEXT]   show a picture with this message, or with the next; a dropped file is shown too
/help                show this text
ctrl+c stops an answer, ctrl+d ends the chat"""


def carry_out(line: str, models: Sequence[LoadedModel]) -> str:
    """Carries a command out for every model and returns the text to show. InputError for an unknown command."""
    name, _, rest = line.strip().partition(" ")
    commands = {"/clear": _clear, "/system": _system, "/settings": _settings, "/help": _help}
    if name not in commands:
        raise unknown_name("command", name, commands)
    return commands[name](rest.strip(), models)


def _help(_rest: str, _models: Sequence[LoadedModel]) -> str:
    return _HELP


def _clear(rest: str, models: Sequence[LoadedModel]) -> str:
    if rest:
        raise InputError("/clear: takes no argument")
    for model in models:
        model.conversation, model.shown = Conversation.begin(model.conversation.system), ()
    return "conversation cleared"


def _system(rest: str, models: Sequence[LoadedModel]) -> str:
    for model in models:
        model.conversation, model.shown = Conversation.begin(rest or None), ()
    return "new conversation with this system message" if rest else "new conversation without a system message"


def _settings(rest: str, models: Sequence[LoadedModel]) -> str:
    if rest:
        name, _, value = rest.partition(" ")
        changed = [model.sampling.changed(**{name: _number(name, value)}) for model in models]
        for model, sampling in zip(models, changed, strict=True):
            model.sampling = sampling
    return "\n".join(_listed(model, named=len(models) > 1) for model in models)


def _number(name: str, value: str) -> float | int:
    types = {field.name: str(field.type) for field in fields(Sampling)}
    whole = types.get(name, "float").startswith("int")
    try:
        return int(value) if whole else float(value)
    except ValueError:
        raise InputError(f"/settings {name} {value}: must be a {'whole ' if whole else ''}number") from None


def _listed(model: LoadedModel, *, named: bool) -> str:
    values = asdict(model.sampling) | {"seed": "random" if model.sampling.seed is None else model.sampling.seed}
    line = "  ".join(f"{name} {value}" for name, value in values.items())
    return f"{model.name}: {line}" if named else f"{line}  context {model.chat.context.cells}"
