"""A GGUF's own chat template."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from evomerge_core.errors import InputError
from evomerge_quant.chat.conversation import Message
from evomerge_quant.llama.model import LlamaModel

_KEY = "tokenizer.chat_template"
# Messages -> the prompt, up to where the answer begins. InputError when the template refuses them.
Render = Callable[[Sequence[Message]], str]


def chat_template(model: LlamaModel) -> Render:
    """The renderer of the file's own template, in a sandbox. InputError when it has none or a broken one.

    llama-cpp-python would take llama-2's instead of a missing one, which few models understand.
    """
    from jinja2 import TemplateError
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    text = model.metadata.get(_KEY, "")
    if not text.strip():
        raise InputError(
            f"{model.path}: has no chat template; put a chat_template.jinja into the model's folder and export it again"
        )
    begin, end = ("" if token is None else model.token_text(token) for token in (model.begin, model.end))
    try:
        formatter: Any = Jinja2ChatFormatter(template=text, eos_token=end, bos_token=begin)
    except TemplateError as error:
        raise InputError(f"{model.path}: its chat template is broken ({_line(error)}); export it with another") from error

    def render(messages: Sequence[Message]) -> str:
        try:
            return str(formatter(messages=[{"role": m.role, "content": m.text} for m in messages]).prompt)
        except (TemplateError, ValueError, TypeError) as error:
            remedy = "leave the system message out" if messages[0].role == "system" else "export it with another"
            raise InputError(f"{model.path}: its chat template refuses the messages ({_line(error)}); {remedy}") from error

    return render


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
