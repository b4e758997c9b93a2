"""What a child speaks with: which ids end a turn, begin a text and fill a batch, worked out by hand from small tokenizers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from evomerge_core.errors import InputError
from evomerge_core.sources.source import Source, open_source
from evomerge_core.sources.vocabulary.chat_template import meaning, template_of, turn_end
from evomerge_core.sources.vocabulary.child_vocabulary import ChildVocabulary, child_vocabulary
from support.speaking_models import CHATML, EMBEDDING, HEAD, TURNS, WIDTH, change_json, write_speaking, write_tokenizer

START, END = 280, 281


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`base` ends with </s> (2), `chat` ends turns with <|im_end|> (281) and then texts with </s>; both know all tokens."""
    folder = tmp_path_factory.mktemp("speaking")
    write_speaking(folder / "base", TURNS)
    write_speaking(folder / "chat", TURNS, eos="<|im_end|>", template=CHATML, seed=1)
    change_json(folder / "chat" / "generation_config.json", eos_token_id=[END, 2])
    return folder


def opened(folder: Path, reference: str) -> Source:
    return open_source(reference, relative_to=folder)


def of(folder: Path, giver: str, *others: str, template: str | None = None) -> ChildVocabulary:
    return child_vocabulary(opened(folder, giver), [opened(folder, name) for name in others], template)


def test_the_ends_are_the_givers_and_those_of_the_models_that_are_merged(models: Path) -> None:
    assert of(models, "chat", "base", "chat").ends == (END, 2)
    assert of(models, "base", "base", "chat").ends == (2, END)
    assert of(models, "base", "base").ends == (2,)


def test_a_model_that_says_it_all_itself_keeps_its_own_files(models: Path) -> None:
    assert of(models, "chat", "base").own == "chat"
    assert of(models, "base", "base").own == "base"
    assert of(models, "base", "chat").own is None


def test_what_a_template_writes_after_an_answer_ends_a_turn(models: Path) -> None:
    assert of(models, "base", "base", template=CHATML).ends == (2, END)
    assert of(models, "base", "base", template="{{ messages[-1]['content'] + eos_token }}").ends == (2,)
    assert of(models, "base", "base", template="{{ raise_exception('no') }}").ends == (2,)


def test_an_ordinary_token_in_a_wrong_config_ends_nothing(models: Path, tmp_path: Path) -> None:
    for name in ("base", "chat"):
        shutil.copytree(models / name, tmp_path / name)
    for file in ("config.json", "generation_config.json"):
        change_json(tmp_path / "chat" / file, eos_token_id=[50, END])
    assert of(tmp_path, "base", "chat").ends == (2, END)


def test_a_config_that_forgot_the_tokenizers_end_is_mended(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "chat", tmp_path / "chat")
    for file in ("config.json", "generation_config.json"):
        change_json(tmp_path / "chat" / file, eos_token_id=2)
    assert of(tmp_path, "chat", "chat").ends == (2, END)


def test_the_generation_config_counts_before_the_config_as_in_transformers(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "base", tmp_path / "base")
    change_json(tmp_path / "base" / "generation_config.json", eos_token_id=[2, START], bos_token_id=1, pad_token_id=0)
    found = of(tmp_path, "base")
    assert (found.ends, found.bos, found.pad) == ((2, START), 1, 0)


def test_the_tokenizer_says_what_begins_a_text_and_what_pads(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "chat", tmp_path / "chat")
    change_json(tmp_path / "chat" / "tokenizer_config.json", bos_token="<|im_start|>", pad_token="<unk>")
    found = of(tmp_path, "chat")
    assert (found.bos, found.pad) == (START, 0)


def with_rows(folder: Path, rows: int, *names: str) -> Path:
    """An adapter that holds these tensors of `base` whole, with so many rows."""
    torch.manual_seed(5)
    save_file(
        {f"base_model.model.{name}": 0.1 * torch.randn(rows, WIDTH) for name in names},
        folder / "adapter_model.safetensors",
        metadata={"format": "pt"},
    )
    config = '{"peft_type": "LORA", "r": 2, "lora_alpha": 2, "modules_to_save": ["embed_tokens", "lm_head"]}'
    (folder / "adapter_config.json").write_text(config, encoding="utf-8")
    return folder


def test_an_adapters_tokenizer_names_its_own_tokens(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "base", tmp_path / "base")
    rows = write_tokenizer(tmp_path / "a", (*TURNS, "<pad>"), eos="<|im_end|>", pad="<pad>", template=CHATML)
    with_rows(tmp_path / "a", rows, EMBEDDING, HEAD)
    found = of(tmp_path, "base+a", "base")
    assert (found.folder, found.rows, found.own) == (tmp_path / "a", 283, None)
    assert (found.ends, found.bos, found.pad) == ((END, 2), 1, 282)


def test_tokens_whose_rows_an_adapter_cut_off_are_named_no_longer(tmp_path: Path) -> None:
    write_speaking(tmp_path / "base", padded=8, pad_token_id=287)
    with_rows(write_dir(tmp_path / "a"), 280, EMBEDDING, HEAD)
    found = of(tmp_path, "base+a")
    assert (found.rows, found.pad, found.own) == (280, None, None)


def write_dir(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_an_adapter_with_one_of_both_resized_is_refused(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "base", tmp_path / "base")
    rows = write_tokenizer(tmp_path / "a", (*TURNS, "<pad>"))
    with_rows(tmp_path / "a", rows, EMBEDDING)
    with pytest.raises(InputError, match=r"lm_head\.weight is \[282, 32\], but model\.embed_tokens\.weight has 283 rows"):
        of(tmp_path, "base+a")


def test_templates_are_one_where_they_mean_the_same() -> None:
    assert meaning("{{ a }}\r\n{{ b }}\n") == meaning("\n{{ a }}\n{{ b }}")
    assert meaning("{{ a }} {{ b }}") != meaning("{{ a }}{{ b }}")


@pytest.mark.parametrize(
    ("settings", "jinja", "expected"),
    [
        ({"chat_template": "plain"}, None, "plain"),
        ({"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}, None, "d"),
        ({"chat_template": "plain"}, "file\n", "file\n"),
        ({"chat_template": [{"name": "rag", "template": "r"}]}, None, None),
        ({"chat_template": 7}, None, None),
    ],
)
def test_where_a_template_is_kept(tmp_path: Path, settings: dict[str, object], jinja: str | None, expected: str | None) -> None:
    (tmp_path / "tokenizer_config.json").write_text("{}", encoding="utf-8")
    change_json(tmp_path / "tokenizer_config.json", **settings)
    if jinja is not None:
        (tmp_path / "chat_template.jinja").write_text(jinja, encoding="utf-8")
    assert template_of(tmp_path) == expected


LLAMA3 = (
    "{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% else %} {{ m['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
)
GEMMA = "{% for m in messages %}<start_of_turn>{{ m['role'] }}\n{{ m['content'] }}<end_of_turn>\n{% endfor %}"
ALPACA = "{% for m in messages %}### {{ m['role'] }}:\n{{ m['content'] }}\n\n{% endfor %}"
SPECIAL = ("</s>", "<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<end", "<|start_header_id|>")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (CHATML, "<|im_end|>"),
        (LLAMA3, "<|eot_id|>"),
        (MISTRAL, "</s>"),
        (GEMMA, "<end_of_turn>"),
        (ALPACA, None),
        ("{{ broken", None),
        ("{% for m in messages %}{{ 1 / 0 }}{% endfor %}", None),
        (None, None),
    ],
)
def test_the_end_of_a_turn_of_published_templates(template: str | None, expected: str | None) -> None:
    assert turn_end(template, SPECIAL, {"bos_token": "<s>", "eos_token": "</s>"}) == expected
