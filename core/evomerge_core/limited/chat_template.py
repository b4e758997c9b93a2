"""What a chat template makes of a conversation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from evomerge_core.limited.limited_process import Refused, work_out

# The content is a text, or as vision-language models' templates have it: a list of `{type: text, text: ...}`, `{type: image}`.
Message = Mapping[str, Any]
_END = "evomerge-end-of-text"
# Where a picture stands in a message's text: characters for private use, which no template writes.
PLACE = "\ue0f8picture\ue0f9"


@dataclass(frozen=True)
class PictureMark:
    """What stands for a picture in a rendered prompt: `token`, which gives way to the picture's own tokens before a model reads
    it, and what is `written` around it where a template doesn't place pictures itself."""

    token: str
    written: str


class ChatTokenizer(Protocol):
    """What is used of a transformers tokenizer."""

    @property
    def chat_template(self) -> Any:
        """The template, or several by name."""

    @property
    def special_tokens_map(self) -> Mapping[str, Any]:
        """The special tokens by the names that templates call them by (`eos_token`)."""

    def get_chat_template(self) -> Any:
        """The default template."""


def render_template(template: object, messages: Sequence[Message], named: Mapping[str, Any], *, answer: bool = False) -> str:
    """The text in Jinja's sandbox. Raises `Refused` where the template is broken, refuses the messages or meets a limit.

    `named` are the tokenizer's special tokens by the names that templates call them by. `answer`: up to where an answer begins.
    """
    if not isinstance(template, str):
        raise Refused("it isn't a text")
    tokens = tuple((name, value) for name, value in named.items() if isinstance(value, str))
    rendered = _rendered(template, json.dumps([dict(message) for message in messages]), tokens, answer)
    if isinstance(rendered, Refused):
        raise Refused(str(rendered))
    return rendered


def render_chat(tokenizer: ChatTokenizer, messages: Sequence[Message], *, answer: bool) -> str:
    """The same in a tokenizer's own template."""
    try:
        template = tokenizer.get_chat_template()
    except (ValueError, TypeError) as error:
        raise Refused(" ".join(str(error).split())) from None
    return render_template(template, messages, tokenizer.special_tokens_map, answer=answer)


def render_seeing_chat(tokenizer: ChatTokenizer, messages: Sequence[Message], mark: PictureMark, *, answer: bool) -> str:
    """The same in the template of a vision-language model: messages' contents are texts, in which each `PLACE` is a picture.

    Such templates take lists of texts and pictures, or texts alone, or lists from users only; the first form in which nothing
    is lost counts. The result has the mark's token in the place of each picture. Raises `Refused` where something always is.
    """
    wanted = [part.strip() for message in messages for part in message["content"].split(PLACE)]
    places = sum(message["content"].count(PLACE) for message in messages)
    reason = "it leaves texts or pictures out"
    for form in _forms(messages, mark, lists_first=places > 0):
        try:
            rendered = render_chat(tokenizer, form, answer=answer)
        except Refused as refused:
            reason = str(refused)
            continue
        if rendered.count(mark.token) == places and all(text in rendered for text in wanted):
            return rendered
    raise Refused(reason)


def _forms(messages: Sequence[Message], mark: PictureMark, *, lists_first: bool) -> Iterator[list[Message]]:
    texts: list[Message] = [{**message, "content": message["content"].replace(PLACE, mark.written)} for message in messages]
    lists: list[Message] = [{**message, "content": _parts(message["content"])} for message in messages]
    mixed = [one if one["role"] == "user" else other for one, other in zip(lists, texts, strict=True)]
    yield from (lists, mixed, texts) if lists_first else (texts, lists, mixed)


def _parts(content: str) -> list[dict[str, str]]:
    first, *others = content.split(PLACE)
    parts = [{"type": "text", "text": first}] if first else []
    for text in others:
        parts.append({"type": "image"})
        if text:
            parts.append({"type": "text", "text": text})
    return parts


def render_unfinished_chat(tokenizer: ChatTokenizer, messages: Sequence[Message]) -> str:
    """The same up to the end of the last message's text, which is to be continued."""
    *before, last = messages
    rendered = render_chat(tokenizer, [*before, {**last, "content": f"{last['content'].rstrip()}{_END}"}], answer=False)
    head, mark, _ = rendered.rpartition(_END)
    if not mark:
        raise Refused("it leaves the last message out")
    return head


def check_template(template: str) -> None:
    """Raises `Refused` for a template that is broken."""
    work_out("check", template=template)


# A refusal is kept too: what takes too long is not tried again.
@lru_cache(maxsize=64)
def _rendered(template: str, messages: str, named: tuple[tuple[str, str], ...], answer: bool) -> str | Refused:
    conversation = {"messages": json.loads(messages), "tools": None, "documents": None}
    variables = {**conversation, "add_generation_prompt": answer, **dict(named)}
    try:
        return str(work_out("render", template=template, variables=variables))
    except Refused as refused:
        return refused
