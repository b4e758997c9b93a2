"""Every form that a tokenizer comes in: read as sentencepiece reads it, or refused in one line that names what is missing."""

from __future__ import annotations

import base64
import io
import shutil
from pathlib import Path

import pytest
import sentencepiece
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from evomerge_core.errors import InputError
from evomerge_core.sources.checks.compatibility import check
from evomerge_core.sources.inspection import inspect
from evomerge_core.sources.pretrained import read_tokenizer
from evomerge_core.sources.source import Source, open_source
from evomerge_core.sources.stored import tokenizer_files
from evomerge_core.sources.tokens import align, special_tokens, vocabulary
from support.speaking_models import EMBEDDING, HEAD, WIDTH, change_json, write_weights

TEXTS = ("hello world, how are you", "what is two plus three? five.", "13 lazy dogs", "naïve café 東京")


def write_pieces(folder: Path, kind: str = "bpe", size: int = 320) -> sentencepiece.SentencePieceProcessor:
    """A SentencePiece model as Llama 2's, with no tokenizer.json beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 40),
        model_writer=written,
        vocab_size=size,
        model_type=kind,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(written.getvalue())
    settings = (
        '{"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "legacy": false}'
    )
    (folder / "tokenizer_config.json").write_text(settings, encoding="utf-8")
    return sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())


def write_ranks(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{base64.b64encode(bytes([byte])).decode()} {byte}\n" for byte in range(256)), encoding="ascii")


def opened(folder: Path) -> Source:
    return open_source(str(folder), relative_to=folder.parent)


def test_a_sentencepiece_model_alone_is_read(tmp_path: Path) -> None:
    pieces = write_pieces(tmp_path / "m")
    write_weights(tmp_path / "m", pieces.vocab_size())
    tokenizer = read_tokenizer(tmp_path / "m")
    for text in TEXTS[:3]:
        assert tokenizer.encode(text, add_special_tokens=False) == pieces.encode(text)
    source = opened(tmp_path / "m")
    assert vocabulary(source) == {pieces.id_to_piece(row): row for row in range(pieces.vocab_size())}
    assert {"<s>": 1, "</s>": 2}.items() <= special_tokens(source).items()
    assert inspect(source).problems == ()


def test_rows_are_matched_by_pieces_with_a_tokenizer_json(tmp_path: Path) -> None:
    pieces = write_pieces(tmp_path / "m")
    other = write_pieces(tmp_path / "other", size=300)
    write_weights(tmp_path / "m", pieces.vocab_size())
    write_weights(tmp_path / "other", other.vocab_size(), seed=1)
    base, source = opened(tmp_path / "m"), opened(tmp_path / "other")
    aligned, name = align(base, source), "lm_head.weight"
    theirs = {other.id_to_piece(row): row for row in range(other.vocab_size())}
    for row in range(pieces.vocab_size()):
        found = theirs.get(pieces.id_to_piece(row))
        expected = base.read(name)[row] if found is None else source.read(name)[found]
        assert aligned.read(name)[row].equal(expected)


def test_protobuf_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pieces(tmp_path / "m")
    monkeypatch.setattr(tokenizer_files, "_is_installed", lambda package: package != "google.protobuf")
    with pytest.raises(
        InputError, match=r"tokenizer\.model: a SentencePiece model, .* the package protobuf; `pip install protobuf`"
    ):
        read_tokenizer(tmp_path / "m")


@pytest.mark.parametrize("name", ["tokenizer.model", "tiktoken.model", "qwen.tiktoken"])
def test_a_tiktoken_file_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    write_ranks(tmp_path / name)
    with pytest.raises(InputError, match=rf"{name}: a tiktoken file, .*; copy the tokenizer\.json of the original model"):
        read_tokenizer(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"])
def test_a_broken_tokenizer_model_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokenizer.model").write_bytes(content)
    with pytest.raises(
        InputError, match=r"tokenizer\.model: neither a SentencePiece model nor a tiktoken file; download or copy"
    ):
        read_tokenizer(tmp_path)


def test_no_tokenizer_at_all_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    write_weights(tmp_path, 40)
    change_json(tmp_path / "config.json", architectures=["LlamaForCausalLM"])
    with pytest.raises(InputError, match=r"tokenizer\.json: no such file; copy"):
        read_tokenizer(tmp_path)


@pytest.mark.parametrize("content", ["{}", "[]", "{", '{"model": {"type": "BPE", "vocab": {"a": "b"}, "merges": []}}'])
def test_a_broken_tokenizer_json_is_one_line(tmp_path: Path, content: str) -> None:
    write_weights(tmp_path, 40)
    (tmp_path / "tokenizer.json").write_text(content, encoding="utf-8")
    for read in (lambda: read_tokenizer(tmp_path), lambda: vocabulary(opened(tmp_path))):
        with pytest.raises(InputError) as refused:
            read()
        assert "\n" not in str(refused.value)


def test_unreadable_tokenizers_hinder_a_merge_only_where_they_differ(tmp_path: Path) -> None:
    for seed, name in enumerate(("base", "same", "other", "taller")):
        write_weights(tmp_path / name, 41 if name == "taller" else 40, seed=seed)
        write_ranks(tmp_path / name / "tokenizer.model")
    with (tmp_path / "other" / "tokenizer.model").open("a", encoding="ascii") as file:
        file.write("aGVsbG8= 256\n")
    base = opened(tmp_path / "base")
    assert check(base, [opened(tmp_path / "same")]) == []
    for name, reason in (("other", "the tokenizers differ"), ("taller", "the vocabularies have 41 and 40 rows")):
        lines = [str(error) for error in check(base, [opened(tmp_path / name)])]
        assert lines
        assert all("a tiktoken file" in line and f"and {reason}; copy the tokenizer.json" in line for line in lines)


def test_an_adapters_new_rows_go_with_the_sentencepiece_model_beside_them(tmp_path: Path) -> None:
    write_weights(tmp_path / "base", write_pieces(tmp_path / "base", size=300).vocab_size())
    pieces = write_pieces(tmp_path / "adapter")
    rows = {f"base_model.model.{name}": torch.ones(pieces.vocab_size(), WIDTH) for name in (EMBEDDING, HEAD)}
    save_file(rows, tmp_path / "adapter" / "adapter_model.safetensors", metadata={"format": "pt"})
    config = '{"peft_type": "LORA", "r": 2, "lora_alpha": 2, "modules_to_save": ["embed_tokens", "lm_head"]}'
    (tmp_path / "adapter" / "adapter_config.json").write_text(config, encoding="utf-8")
    source = open_source("base+adapter", relative_to=tmp_path)
    assert source.tokenizer_folder == tmp_path / "adapter"
    assert vocabulary(source) == {pieces.id_to_piece(row): row for row in range(pieces.vocab_size())}


def test_a_vocabulary_with_merges_and_no_tokenizer_json_is_read(tmp_path: Path) -> None:
    """GPT-2's old form; the oracle is the tokenizers library on the same two files."""
    from tokenizers.implementations import ByteLevelBPETokenizer

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(TEXTS, vocab_size=290, show_progress=False)
    trained.save_model(str(tmp_path))
    write_weights(tmp_path, trained.get_vocab_size())
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "GPT2Tokenizer"}', encoding="utf-8")
    tokenizer = read_tokenizer(tmp_path)
    for text in TEXTS[:3]:
        assert tokenizer.encode(text) == trained.encode(text).ids
    found = vocabulary(opened(tmp_path))
    assert found is not None
    assert found.items() >= trained.get_vocab().items()


def test_a_child_keeps_every_file_of_its_tokenizer(tmp_path: Path) -> None:
    for name in ("tokenizer.model", "tokenizer_config.json", "chat_template.jinja", "qwen.tiktoken", "notes.txt"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "tool_use.jinja").write_text("x", encoding="utf-8")
    found = [str(path.relative_to(tmp_path)) for path in tokenizer_files.tokenizer_files(tmp_path)]
    wanted = ["tokenizer.model", "tokenizer_config.json", "chat_template.jinja", "qwen.tiktoken"]
    assert found == [*wanted, str(Path("additional_chat_templates") / "tool_use.jinja")]


def test_a_fast_form_wins_over_an_old_one(tmp_path: Path) -> None:
    pieces = write_pieces(tmp_path)
    read_tokenizer(tmp_path).save_pretrained(tmp_path / "saved")
    shutil.copyfile(tmp_path / "saved" / "tokenizer.json", tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer.model").write_bytes(b"broken")
    assert read_tokenizer(tmp_path).encode(TEXTS[0], add_special_tokens=False) == pieces.encode(TEXTS[0])
    assert Tokenizer.from_file(str(tmp_path / "tokenizer.json")).get_vocab_size() == pieces.vocab_size()
