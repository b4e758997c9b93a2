"""Templates with field names, and the model's chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any, Protocol

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.items import Value


class ChatTokenizer(Protocol):
    """What is used of a transformers tokenizer."""

    chat_template: Any

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any:
        """Renders the conversation."""
        ...


def fill(template: str, fields: Mapping[str, Value], *, key: str) -> str:
    """The template with each `{field}` replaced; `{{` and `}}` stand for braces, a list is written one text a line.

    Nothing but a field's name may stand in braces. Raises `InputError` that begins with `key`.
    """
    return "".join(literal + ("" if name is None else _text(fields, name, key)) for literal, name in _parts(template, key))


def field_names(template: str, *, key: str) -> frozenset[str]:
    """The fields that a template names. Raises `InputError` that begins with `key`."""
    return frozenset(name for _, name in _parts(template, key) if name is not None)


def render_chat(prompt: str, system: str | None, tokenizer: ChatTokenizer, *, task: str) -> str:
    """The prompt as the user's message in the model's own chat template, up to where the answer begins.

    Raises `InputError` when the model has no chat template or its template refuses the messages.
    """
    if not tokenizer.chat_template:
        raise InputError(
            "the model's tokenizer has no chat template", where=task, remedy="set `chat: false` or use a model that has one"
        )
    messages = [{"role": "system", "content": system}] if system is not None else []
    messages.append({"role": "user", "content": prompt})
    from jinja2 import TemplateError

    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    except (TemplateError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"the model's chat template fails ({reason})", where=task, remedy="drop `system` or set `chat: false`"
        ) from error


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
