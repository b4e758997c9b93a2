"""Templates take field names and nothing else; chat prompts are what transformers renders."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from evomerge_core.errors import InputError
from evomerge_core.tasks.prompt import fill, render_chat

TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'system' and no_system %}{{ raise_exception('no system') }}{% endif %}"
    "<{{ m['role'] }}>{{ m['content'] }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


def _tokenizer(template: str | None) -> PreTrainedTokenizerFast:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]")))
    tokenizer.chat_template = template
    return tokenizer


def test_fields_are_filled_in_and_doubled_braces_are_braces() -> None:
    fields = {"question": "1 {x} + 1?", "the choices": ("a", "b")}
    assert fill("Q: {question} {{n}}\n{the choices}", fields, key="prompt") == "Q: 1 {x} + 1? {n}\na\nb"


@pytest.mark.parametrize("template", ["{}", "{question!r}", "{question:>20}", "{question", "question}"])
def test_anything_but_a_field_name_in_braces_is_refused(template: str) -> None:
    with pytest.raises(InputError, match=r"^sums: prompt: .*braces"):
        fill(template, {"question": "x"}, key="sums: prompt")


def test_an_unknown_field_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"no field 'qestion' in the items \(they have question, answer\)"):
        fill("{qestion}", {"question": "x", "answer": "1"}, key="sums: prompt")
    with pytest.raises(InputError, match="no field"):
        fill("{question.__class__}", {"question": "x"}, key="sums: prompt")


def test_the_chat_prompt_ends_where_the_answer_begins() -> None:
    tokenizer = _tokenizer(TEMPLATE)
    assert render_chat("Hi", None, tokenizer, task="t") == "<user>Hi</s><assistant>"
    assert render_chat("Hi", "Be kind", tokenizer, task="t") == "<system>Be kind</s><user>Hi</s><assistant>"


def test_a_model_without_chat_template_is_refused_with_the_remedy() -> None:
    with pytest.raises(InputError, match=r"^sums: .*no chat template; set `chat: false`"):
        render_chat("Hi", None, _tokenizer(None), task="sums")


def test_a_template_that_refuses_the_system_message_is_reported_in_one_line() -> None:
    refusing = _tokenizer(TEMPLATE.replace("no_system", "true"))
    assert render_chat("Hi", None, refusing, task="sums") == "<user>Hi</s><assistant>"
    with pytest.raises(InputError, match=r"^sums: .*no system.*drop `system`"):
        render_chat("Hi", "Be kind", refusing, task="sums")
