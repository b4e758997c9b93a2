"""The file's own template, rendered as transformers renders it; a file without one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from evomerge_core.errors import InputError
from evomerge_quant.chat.chat import open_chat
from evomerge_quant.chat.conversation import Conversation, Message
from evomerge_quant.chat.template import chat_template
from evomerge_quant.llama.model import open_gguf
from support.tiny_gguf import save_folder, write_gguf

STRICT = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}hello"


def test_a_conversation_is_rendered_as_transformers_renders_it(chat_folder: Path, chat_file: Path) -> None:
    conversation = Conversation.begin("be brief").plus("user", "größe?").plus("assistant", "東京").plus("user", "<b>")
    tokenizer = AutoTokenizer.from_pretrained(chat_folder)
    messages = [{"role": m.role, "content": m.text} for m in conversation.messages]
    with open_gguf(chat_file) as model:
        rendered = chat_template(model)(conversation.messages)
        assert rendered == tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert model.tokenize(rendered) == tokenizer.encode(rendered, add_special_tokens=False)


def file_with(template: str | None, place: Path) -> Path:
    return write_gguf(save_folder(place / "model", template=template), place / "model.gguf")


@pytest.mark.parametrize("template", [None, " \n"])
def test_a_missing_template_is_refused_with_a_remedy(template: str | None, tmp_path: Path) -> None:
    file = file_with(template, tmp_path)
    with pytest.raises(InputError, match="chat template") as refusal:
        open_chat(file)
    assert str(file) in str(refusal.value)
    assert "export it again" in str(refusal.value)


def test_a_broken_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="broken"):
        open_chat(file_with("{% for m in messages %}", tmp_path))


def test_what_the_template_refuses_is_reported_with_a_remedy(tmp_path: Path) -> None:
    with open_gguf(file_with(STRICT, tmp_path)) as model:
        render = chat_template(model)
        assert render([Message("user", "hi")]) == "hello"
        with pytest.raises(InputError, match=r"no system role.*leave the system message out"):
            render([Message("system", "x"), Message("user", "hi")])


def test_a_template_cannot_reach_outside_of_its_sandbox(tmp_path: Path) -> None:
    escape = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    with open_gguf(file_with(escape, tmp_path)) as model, pytest.raises(InputError, match="refuses"):
        chat_template(model)([Message("user", "hi")])
