"""A GGUF's own chat template."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evomerge_core.errors import InputError
from evomerge_core.limited.chat_template import check_template, render_template
from evomerge_core.limited.limited_process import Refused
from evomerge_quant.chat.conversation import Message
from evomerge_quant.llama.model import LlamaModel

_KEY = "tokenizer.chat_template"
# Messages -> the prompt, up to where the answer begins. InputError when the template refuses them.
Render = Callable[[Sequence[Message]], str]


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
    try:
        check_template(text)
    except Refused as reason:
        raise InputError(f"{model.path}: its chat template is broken ({reason}); export it with another") from None

    def render(messages: Sequence[Message]) -> str:
        try:
            said = [{"role": m.role, "content": m.text} for m in messages]
            return render_template(text, said, {"bos_token": begin, "eos_token": end}, answer=True)
        except Refused as reason:
            remedy = "leave the system message out" if messages[0].role == "system" else "export it with another"
            raise InputError(f"{model.path}: its chat template refuses the messages ({reason}); {remedy}") from None

    return render
