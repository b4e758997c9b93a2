"""What a chat template puts around each message, read off by rendering it on probe messages."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.limited.chat_template import render_chat
from evomerge_core.limited.limited_process import Refused
from evomerge_core.sources.pretrained import read_tokenizer

Message = dict[str, str]
_SYSTEM, _USER, _ASSISTANT = "probe system text", "probe question", "probe answer"
_REMEDY = "write the Modelfile's TEMPLATE by hand, or export for another runner"


@dataclass(frozen=True)
class ChatFormat:
    """The text around the messages of a conversation.

    It begins with `head`, or with `system_head`, the system text and `system_tail`. Then come the first user's text,
    `after_user`, the assistant's, `after_assistant`, the next user's, and so on; `answer` follows the last user's text, and
    `end` is what a conversation ends with. `default_system` is the system text that the template has of its own, "" for none;
    `has_system` is False where it takes none.
    """

    head: str
    system_head: str
    system_tail: str
    after_user: str
    after_assistant: str
    answer: str
    end: str
    default_system: str
    has_system: bool

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt for a conversation that ends with the user's text."""
        system = [message["content"] for message in messages if message["role"] == "system"]
        turns = [message["content"] for message in messages if message["role"] != "system"]
        start = f"{self.system_head}{system[0]}{self.system_tail}" if system and self.has_system else self.head
        between = itertools.cycle([self.after_user, self.after_assistant])
        middle = "".join(text + gap for text, gap in zip(turns[:-1], between, strict=False))
        return f"{start}{middle}{turns[-1]}{self.answer}"


def read_chat_format(folder: Path) -> ChatFormat:
    """The format of a model folder's chat template.

    InputError when there is none, and when it treats messages in ways that aren't fixed text around them.
    """
    tokenizer = read_tokenizer(folder)
    if not tokenizer.chat_template:
        raise InputError(f"{folder}: has no chat template: add chat_template.jinja, or export for another runner")
    found = _read(tokenizer, folder)
    conversation = [*_turns(2), {"role": "user", "content": "And,\nlast of all: 7 + 5?"}]
    for messages in (conversation, [{"role": "system", "content": "Be brief."}, *conversation]):
        if (messages is conversation or found.has_system) and found.render(messages) != _render(
            tokenizer, messages, answer=True
        ):
            raise _not_fixed(folder)
    return found


def _read(tokenizer: Any, folder: Path) -> ChatFormat:
    user, dialogue = [_message("user", 1)], [*_turns(2), _message("user", 3)]
    prompt = _render(tokenizer, dialogue, answer=True)
    if prompt is None:
        raise _not_fixed(folder)
    head, after_user, after_assistant, again, twice, answer = _cut(prompt, [message["content"] for message in dialogue], folder)
    ended = _render(tokenizer, _turns(1), answer=False)
    if (again, twice) != (after_user, after_assistant) or ended is None:
        raise _not_fixed(folder)
    end = ended.rpartition(f"{_ASSISTANT} 1")[2]
    system_prompt = _render(tokenizer, [{"role": "system", "content": _SYSTEM}, *user], answer=True)
    if system_prompt is None or _SYSTEM not in system_prompt:
        return ChatFormat(head, head, "", after_user, after_assistant, answer, end, "", has_system=False)
    system_head, system_tail, _ = _cut(system_prompt, [_SYSTEM, user[0]["content"]], folder)
    default = _default_system(head, system_head, system_tail)
    return ChatFormat(head, system_head, system_tail, after_user, after_assistant, answer, end, default, has_system=True)


def _default_system(head: str, system_head: str, system_tail: str) -> str:
    fits = head.startswith(system_head) and head.endswith(system_tail) and len(head) > len(system_head) + len(system_tail)
    return head[len(system_head) : len(head) - len(system_tail)] if fits and system_head else ""


def _render(tokenizer: Any, messages: Sequence[Message], *, answer: bool) -> str | None:
    """The template's text; None where the template refuses such a conversation."""
    for form in (messages, [{**m, "content": [{"type": "text", "text": m["content"]}]} for m in messages]):
        try:
            rendered = render_chat(tokenizer, form, answer=answer)
        except Refused:
            continue
        # A vision-language model's template may want lists, and writes nothing of a text.
        if form is not messages or messages[-1]["content"] in rendered:
            return rendered
    return None


def _cut(text: str, contents: Sequence[str], folder: Path) -> list[str]:
    """The pieces of the text around the contents, each of which must occur once, in order."""
    pieces = []
    for content in contents:
        before, found, text = text.partition(content)
        if not found or content in text:
            raise _not_fixed(folder)
        pieces.append(before)
    return [*pieces, text]


def _turns(count: int) -> list[Message]:
    return [_message(role, number) for number in range(1, count + 1) for role in ("user", "assistant")]


def _message(role: str, number: int) -> Message:
    return {"role": role, "content": f"{_USER if role == 'user' else _ASSISTANT} {number}"}


def _not_fixed(folder: Path) -> InputError:
    return InputError(f"{folder}: its chat template is more than fixed text around the messages: {_REMEDY}")
