"""The file's own template, rendered as transformers renders it; a file without one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from evomerge_core.errors import InputError
from evomerge_core.files.picture import Picture
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
        (rendered,) = chat_template(model)(conversation.messages)
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
        assert render([Message("user", "hi")]) == ("hello",)
        with pytest.raises(InputError, match=r"no system role.*leave the system message out"):
            render([Message("system", "x"), Message("user", "hi")])


def test_a_template_cannot_reach_outside_of_its_sandbox(tmp_path: Path) -> None:
    escape = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    with open_gguf(file_with(escape, tmp_path)) as model, pytest.raises(InputError, match="refuses"):
        chat_template(model)([Message("user", "hi")])


# As published with SmolVLM, LLaVA 1.5, Qwen2-VL and Gemma 3 (what no picture needs left out), and one that knows texts alone.
SEEING = {
    "lists": (
        "{% for message in messages %}{{message['role'] | capitalize}}{% if message['content'][0]['type'] == 'image' %}{{':'}}"
        "{% else %}{{': '}}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
        "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
        "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}",
        "<image>",
    ),
    "pictures first": (
        "{% for message in messages %}{{ message['role'].upper() + ': '}}"
        "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
        "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' ' }}{% endfor %}"
        "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}",
        "<image>",
    ),
    "texts or lists": (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}"
        "{{ message['content'] }}<|im_end|>\n{% else %}{% for content in message['content'] %}"
        "{% if content['type'] == 'image' or 'image' in content %}<|vision_start|><|image_pad|><|vision_end|>"
        "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        "<|vision_start|><|image_pad|><|vision_end|>",
    ),
    "lists from users": (
        "{% for message in messages %}<{{ message['role'] }}>{% if message['role'] == 'user' %}"
        "{% for item in message['content'] %}{% if item['type'] == 'image' %}{{ '<start_of_image>' }}"
        "{% elif item['type'] == 'text' %}{{ item['text'] | trim }}{% endif %}{% endfor %}"
        "{% else %}{{ message['content'] + '.' }}{% endif %}{% endfor %}{% if add_generation_prompt %}<model>{% endif %}",
        "<start_of_image>",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SEEING)
def test_pictures_stand_where_transformers_puts_them(kind: str, tmp_path: Path) -> None:
    """With a picture in the second turn, with none, and with a word in the text that stands for a picture."""
    template, mark = SEEING[kind]
    file = file_with(template, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    picture = Picture(None, "one")
    talk = Conversation().plus("user", "a cat?").plus("assistant", "yes")
    with open_gguf(file) as model:
        render = chat_template(model)
        for asked in (talk.plus("user", "what is it?", [picture, picture]), talk.plus("user", "and now?")):
            expected = tokenizer.apply_chat_template(_as_parts(asked, kind), tokenize=False, add_generation_prompt=True)
            rendered = render(asked.messages)
            assert "".join(part if isinstance(part, str) else mark for part in rendered) == expected
            assert sum(part is picture for part in rendered) == len(asked.messages[-1].pictures)
        named = render([Message("user", f"what does {mark} mean?", (picture,))])
        assert [part for part in named if part is picture] == [picture]
        assert f"what does {mark} mean?" in str(named[-1])


def test_a_template_that_knows_texts_alone_has_pictures_in_front(chat_file: Path) -> None:
    picture = Picture(None, "one")
    with open_gguf(chat_file) as model:
        rendered = chat_template(model)([Message("user", "what is it?", (picture,))])
    assert rendered == ("<|im_start|>user\n", picture, "what is it?<|im_end|>\n<|im_start|>assistant\n")


def _as_parts(conversation: Conversation, kind: str) -> list[dict[str, Any]]:
    """The messages as transformers' processors take them."""
    return [
        {"role": m.role, "content": m.text}
        if kind == "lists from users" and m.role != "user"
        else {"role": m.role, "content": [{"type": "image"}] * len(m.pictures) + [{"type": "text", "text": m.text}]}
        for m in conversation.messages
    ]
