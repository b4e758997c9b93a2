"""What a chat template makes of a conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from evomerge_core.limited.limited_process import Refused, work_out

Message = Mapping[str, str]
_END = "evomerge-end-of-text"


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
    rendered = _rendered(template, tuple(tuple(message.items()) for message in messages), tokens, answer)
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
def _rendered(
    template: str, messages: tuple[tuple[tuple[str, str], ...], ...], named: tuple[tuple[str, str], ...], answer: bool
) -> str | Refused:
    conversation = {"messages": [dict(message) for message in messages], "tools": None, "documents": None}
    variables = {**conversation, "add_generation_prompt": answer, **dict(named)}
    try:
        return str(work_out("render", template=template, variables=variables))
    except Refused as refused:
        return refused
