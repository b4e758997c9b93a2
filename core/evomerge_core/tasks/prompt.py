"""Templates with field names, and the model's chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import Formatter

from evomerge_core.errors import InputError
from evomerge_core.limited import chat_template
from evomerge_core.limited.chat_template import ChatTokenizer, PictureMark
from evomerge_core.limited.limited_process import Refused
from evomerge_core.tasks.items.items import Value


def fill(template: str, fields: Mapping[str, Value], *, key: str) -> str:
    """The template with each `{field}` replaced; `{{` and `}}` stand for braces, a list is written one text a line.

    Nothing but a field's name may stand in braces. Raises `InputError` that begins with `key`.
    """
    return "".join(literal + ("" if name is None else _text(fields, name, key)) for literal, name in _parts(template, key))


def field_names(template: str, *, key: str) -> frozenset[str]:
    """The fields that a template names. Raises `InputError` that begins with `key`."""
    return frozenset(name for _, name in _parts(template, key) if name is not None)


def render_chat(
    prompt: str, system: str | None, tokenizer: ChatTokenizer, *, task: str, mark: PictureMark | None = None
) -> str:
    """The prompt as the user's message in the model's own chat template, up to where the answer begins. With `mark`, a
    vision-language model's: each `PLACE` in the prompt becomes the mark's token.

    Raises `InputError` when the model has no chat template, or its template refuses the messages, is broken or takes too long.
    """
    if not tokenizer.chat_template:
        raise InputError(
            "the model's tokenizer has no chat template", where=task, remedy="set `chat: false` or use a model that has one"
        )
    messages = [{"role": "system", "content": system}] if system is not None else []
    messages.append({"role": "user", "content": prompt})
    try:
        if mark is not None:
            return chat_template.render_seeing_chat(tokenizer, messages, mark, answer=True)
        return chat_template.render_chat(tokenizer, messages, answer=True)
    except Refused as reason:
        remedy = "set `chat: false`" if system is None else "drop `system` or set `chat: false`"
        raise InputError(f"the chat template of {_origin(tokenizer)} fails ({reason})", where=task, remedy=remedy) from None


def _origin(tokenizer: ChatTokenizer) -> str:
    """The folder of the tokenizer, where it was read from one."""
    return str(getattr(tokenizer, "name_or_path", "")) or "the model"


def _parts(template: str, key: str) -> Sequence[tuple[str, str | None]]:
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise InputError(f"bad template ({error})", where=key, remedy="write {{ and }} for braces") from error
    for _, name, spec, conversion in parts:
        if name == "" or spec or conversion:
            raise InputError("only a field's name may stand in braces", where=key, remedy="write {{ and }} for braces")
    return [(literal, name) for literal, name, _, _ in parts]


def _text(fields: Mapping[str, Value], name: str, key: str) -> str:
    if name not in fields:
        raise InputError(
            f"no field {name!r} in the items (they have {', '.join(fields)})", where=key, remedy="correct the template"
        )
    value = fields[name]
    return value if isinstance(value, str) else "\n".join(value)
