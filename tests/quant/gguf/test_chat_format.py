"""Ollama's template says what the model's own says: rendered by transformers, and by a reader of the few Go actions in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from evomerge_core.errors import InputError
from evomerge_quant.gguf.runners.chat_format import read_chat_format
from evomerge_quant.gguf.runners.ollama import go_template, stops
from support.gguf_models import CHATML, write_tokenizer

# The published templates, without what they do for tools.
TEMPLATES = {
    "chatml": CHATML,
    "chatml with a system text of its own": (
        "{% for m in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
        "{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}"
        "{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    ),
    "llama 3": (
        "{% for m in messages %}{% set content = '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + "
        "m['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}"
        "{{ content }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
    ),
    "mistral": (
        "{{ bos_token }}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
        "{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}{% elif m['role'] == 'assistant' %}"
        "{{ m['content'] + eos_token }}{% endif %}{% endfor %}"
    ),
    "llama 2": (
        "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set system = messages[0]['content'] %}"
        "{% else %}{% set rest = messages %}{% set system = false %}{% endif %}{% for m in rest %}"
        "{% if loop.index0 == 0 and system %}{% set content = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + m['content'] %}"
        "{% else %}{% set content = m['content'] %}{% endif %}{% if m['role'] == 'user' %}"
        "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% else %}{{ ' ' + content.strip() + ' ' + eos_token }}"
        "{% endif %}{% endfor %}"
    ),
    "gemma": (
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set prefix = messages[0]['content'] + '\\n\\n' %}"
        "{% set rest = messages[1:] %}{% else %}{% set prefix = '' %}{% set rest = messages %}{% endif %}"
        "{% for m in rest %}{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\\n' }}"
        "{{ prefix if loop.first else '' }}"
        "{{ m['content'] | trim }}{{ '<end_of_turn>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
    ),
    "phi 3": (
        "{% for m in messages %}{{ '<|' + m['role'] + '|>\\n' + m['content'] + '<|end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"
    ),
    "zephyr": (
        "{% for m in messages %}{{ '<|' + m['role'] + '|>\\n' + m['content'] + eos_token + '\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
    ),
    "alpaca": (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] + '\\n\\n' }}{% elif m['role'] == 'user' %}"
        "{{ '### Instruction:\\n' + m['content'] + '\\n\\n' }}{% else %}{{ '### Response:\\n' + m['content'] + '\\n\\n' }}"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '### Response:\\n' }}{% endif %}"
    ),
}
WITHOUT_SYSTEM = ("mistral",)
QUESTION = {"role": "user", "content": 'How much is {{ 2 }} + "40"?'}
DIALOGUE = [
    {"role": "user", "content": "Hello\n\nthere"},
    {"role": "assistant", "content": "What's up?"},
    {"role": "user", "content": "6 * 7?"},
    {"role": "assistant", "content": "42."},
    QUESTION,
]
SYSTEM = {"role": "system", "content": "Answer in one word."}


def folder_with(tmp_path: Path, template: str | None) -> Path:
    write_tokenizer(tmp_path, template=template)
    return tmp_path


def filled_by_go(template: str, messages: Sequence[dict[str, str]]) -> str:
    """What Go's text/template makes of our templates, given .System and .Messages as Ollama gives them."""
    system = next((m["content"] for m in messages if m["role"] == "system"), "")
    pieces = re.split(r"\{\{ (.*?) \}\}", template)
    tokens = [
        (kind, piece) for index, piece in enumerate(pieces) if (kind := ("text", "action")[index % 2]) == "action" or piece
    ]
    text, at = fill(tokens, 0, {"system": system, "messages": messages})
    assert at == len(tokens)
    return text


def fill(tokens: list[tuple[str, str]], at: int, scope: dict) -> tuple[str, int]:
    out = ""
    while at < len(tokens) and (tokens[at][0] == "text" or tokens[at][1].split()[0] not in ("else", "end")):
        kind, piece = tokens[at]
        at += 1
        if kind == "text":
            out += piece
        elif piece.startswith("range"):
            text = ""
            for index in range(len(scope["messages"])):
                inner, end = fill(tokens, at, {**scope, "index": index})
                text += inner
            out, at = out + text, end + 1
        elif piece.startswith("if "):
            text, at = branch(tokens, at, piece[3:], scope)
            out += text
        else:
            out += value(piece, scope)
    return out, at


def branch(tokens: list[tuple[str, str]], at: int, condition: str, scope: dict) -> tuple[str, int]:
    taken = holds(condition, scope)
    text, at = fill(tokens, at, scope)
    word = tokens[at][1]
    if word == "end":
        return (text if taken else ""), at + 1
    if word == "else":
        other, at = fill(tokens, at + 1, scope)
        return (text if taken else other), at + 1
    other, at = branch(tokens, at + 1, word.removeprefix("else if "), scope)
    return (text if taken else other), at


def holds(condition: str, scope: dict) -> bool:
    if condition == ".System":
        return bool(scope["system"])
    if condition == "eq (len (slice $.Messages $i)) 1":
        return scope["index"] == len(scope["messages"]) - 1
    role = re.fullmatch(r'eq \.Role "(\w+)"', condition)
    assert role is not None, condition
    return scope["messages"][scope["index"]]["role"] == role[1]


def value(action: str, scope: dict) -> str:
    if action == ".System":
        return scope["system"]
    if action == ".Content":
        return scope["messages"][scope["index"]]["content"]
    quoted = re.fullmatch(r'"([^"]*)"', action)
    assert quoted is not None, action
    return quoted[1]


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_go_template_renders_as_the_models_own(name: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path, TEMPLATES[name])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    chat = read_chat_format(folder)
    assert chat.has_system == (name not in WITHOUT_SYSTEM)
    starts = [[]] if name in WITHOUT_SYSTEM else [[], [SYSTEM]]
    for messages in ([*start, *turns] for start in starts for turns in ([QUESTION], DIALOGUE)):
        wanted = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert filled_by_go(go_template(chat, ""), messages) == wanted
        # llama.cpp puts the begin token there itself
        assert filled_by_go(go_template(chat, "<s>"), messages) == wanted.removeprefix("<s>")


def test_the_templates_own_system_text_is_found(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, TEMPLATES["chatml with a system text of its own"])
    assert read_chat_format(folder).default_system == "You are a helpful assistant."


@pytest.mark.parametrize(("name", "stop"), [("chatml", "<|im_end|>"), ("llama 3", "<|eot_id|>"), ("gemma", "<end_of_turn>")])
def test_what_ends_a_turn_stops_the_answer(name: str, stop: str, tmp_path: Path) -> None:
    found = stops(read_chat_format(folder_with(tmp_path, TEMPLATES[name])), ["</s>"])
    assert found[0] == stop
    assert "</s>" in found


def test_a_template_that_does_more_is_refused_with_a_remedy(tmp_path: Path) -> None:
    counting = "{% for m in messages %}{{ loop.index ~ ') ' + m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}"
    with pytest.raises(InputError, match="TEMPLATE by hand"):
        read_chat_format(folder_with(tmp_path, counting))


def test_no_template_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no chat template"):
        read_chat_format(folder_with(tmp_path, None))
