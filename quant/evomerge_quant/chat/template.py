"""A GGUF's own chat template, with pictures where messages show some."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.files.picture import Picture
from evomerge_core.limited.chat_template import PLACE, check_template, render_template
from evomerge_core.limited.limited_process import Refused
from evomerge_quant.chat.conversation import Message
from evomerge_quant.llama.model import LlamaModel

_KEY = "tokenizer.chat_template"
# Messages -> the prompt, up to where the answer begins: texts, and pictures between them. InputError when the template refuses
# them.
Render = Callable[[Sequence[Message]], tuple[str | Picture, ...]]
# What templates write for a picture.
_SHOWN = ("<|vision_start|><|image_pad|><|vision_end|>", "<start_of_image>", "<image>", "[IMG]")
_QUESTION, _ANSWER = "probe question", "probe answer"
_PROBE = (Message("user", _QUESTION), Message("assistant", _ANSWER), Message("user", _QUESTION))
_Written = list[dict[str, Any]]
_Form = Callable[[Sequence[Message], str], _Written]


def chat_template(model: LlamaModel) -> Render:
    """The renderer of the file's own template, in a sandbox. InputError when it has none or a broken one.

    llama-cpp-python would take llama-2's instead of a missing one, which few models understand.
    """
    text = model.metadata.get(_KEY, "")
    if not text.strip():
        raise InputError(
            f"{model.path}: has no chat template; put a chat_template.jinja into the model's folder and export it again"
        )
    begin, end = ("" if token is None else model.token_text(token) for token in (model.begin, model.end))
    named = {"bos_token": begin, "eos_token": end}
    try:
        check_template(text)
    except Refused as reason:
        raise InputError(f"{model.path}: its chat template is broken ({reason}); export it with another") from None

    def render(messages: Sequence[Message]) -> tuple[str | Picture, ...]:
        try:
            return _render(text, named, messages)
        except Refused as reason:
            remedy = "leave the system message out" if messages[0].role == "system" else "export it with another"
            raise InputError(f"{model.path}: its chat template refuses the messages ({reason}); {remedy}") from None

    return render


def _render(template: str, named: Mapping[str, str], messages: Sequence[Message]) -> tuple[str | Picture, ...]:
    pictures = [picture for message in messages for picture in message.pictures]
    form = _form_of(template, named, seeing=bool(pictures))
    own_mark = next((shown for shown in _SHOWN if shown in template), PLACE)
    for mark in (own_mark, PLACE):
        texts = render_template(template, form(messages, mark), named, answer=True).split(mark) if pictures else []
        if len(texts) == len(pictures) + 1:
            return tuple(_between(texts, pictures))
    if pictures:
        raise Refused("it leaves pictures out")
    return (render_template(template, form(messages, PLACE), named, answer=True),)


def _form_of(template: str, named: Mapping[str, str], *, seeing: bool) -> _Form:
    """How the template wants contents: as texts, as lists of texts and pictures, or as such lists from users alone.

    The first form that loses nothing of a short conversation, else plain texts.
    """
    probe = [*_PROBE[:-1], replace(_PROBE[-1], pictures=(Picture(None, ""),))] if seeing else list(_PROBE)
    for form in (_lists, _users_lists, _texts) if seeing else (_texts, _lists, _users_lists):
        try:
            rendered = render_template(template, form(probe, PLACE), named, answer=True)
        except Refused:
            continue
        if rendered.count(_QUESTION) == 2 and _ANSWER in rendered and (not seeing or PLACE in rendered):
            return form
    return _texts


def _texts(messages: Sequence[Message], _mark: str) -> _Written:
    return [{"role": m.role, "content": PLACE * len(m.pictures) + m.text} for m in messages]


def _lists(messages: Sequence[Message], mark: str) -> _Written:
    return [{"role": m.role, "content": list(_parts(m, mark))} for m in messages]


def _users_lists(messages: Sequence[Message], mark: str) -> _Written:
    pairs = zip(_lists(messages, mark), _texts(messages, mark), strict=True)
    return [parts if parts["role"] == "user" else text for parts, text in pairs]


def _parts(message: Message, mark: str) -> Iterator[dict[str, str]]:
    """Where `mark` isn't the template's own, pictures are texts for it."""
    for _ in message.pictures:
        yield {"type": "text", "text": PLACE} if mark == PLACE else {"type": "image"}
    yield {"type": "text", "text": message.text}


def _between(texts: Sequence[str], pictures: Sequence[Picture]) -> Iterator[str | Picture]:
    for text, picture in zip(texts, pictures, strict=False):
        yield text
        yield picture
    yield texts[-1]
