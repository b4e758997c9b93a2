"""A GGUF file is opened without a sound, tells what it holds, and takes text apart as its tokenizer does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import pytest
from tokenizers import Tokenizer

from evomerge_core.errors import InputError
from evomerge_quant.llama.library import load_library
from evomerge_quant.llama.model import Offload, open_gguf
from support.tiny_gguf import LAYERS

TEXTS = (
    "the cat sat on the mat",
    "12345 6789 0.5 ½ ⅔",
    "a  b   c\t\td\n\n e \n",
    "größe naïve café ÅÄÖ",
    "東京 の 猫 한국어 العربية",
    "🙂👩‍🔬🇯🇵 👍🏽",
    "def f(x):\n    return {'a': [x ** 2]}\n",
    "<|im_start|>user\nhi<|im_end|>\n",
    "<|im_star|> <|endoftext|>",
    "",
)


@pytest.mark.parametrize("text", TEXTS)
def test_token_ids_and_text_are_those_of_tokenizers(folder: Path, gguf_file: Path, text: str) -> None:
    oracle = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = oracle.encode(text, add_special_tokens=False).ids
    with open_gguf(gguf_file) as model:
        assert model.tokenize(text) == ids
        assert model.text(ids) == oracle.decode(ids, skip_special_tokens=True)
        pieces = b"".join(model.piece(token) for token in ids)
        assert pieces.decode() == oracle.decode(ids, skip_special_tokens=True)


def test_facts_are_those_in_the_file(gguf_file: Path) -> None:
    fields = gguf.GGUFReader(gguf_file).fields
    with open_gguf(gguf_file) as model:
        assert model.vocabulary_size == len(fields["tokenizer.ggml.tokens"].data)
        assert model.training_context == fields["qwen2.context_length"].contents()
        assert model.metadata["tokenizer.chat_template"] == fields["tokenizer.chat_template"].contents()
        assert model.end == 2
        assert model.ends == {0, 2}  # llama.cpp takes <|endoftext|> for an end by its name
        assert model.cell_bytes == LAYERS * 2 * 2 * 16 * 2  # layers, keys and values, heads, width, 16 bits


def test_opening_a_file_says_nothing(gguf_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    open_gguf(gguf_file).close()
    said = capfd.readouterr()
    assert said.out + said.err == ""


def no_such_file(path: Path, _: Path) -> Path:
    return path


def no_gguf(path: Path, _: Path) -> Path:
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    return path


def cut_short(path: Path, good: Path) -> Path:
    path.write_bytes(good.read_bytes()[:-5000])
    return path


def unknown_architecture(path: Path, good: Path) -> Path:
    path.write_bytes(good.read_bytes().replace(b"qwen2", b"qwenX"))
    return path


@pytest.mark.parametrize("spoil", [no_such_file, no_gguf, cut_short, unknown_architecture])
def test_a_file_that_cannot_be_opened_is_reported_in_one_line(
    spoil: object, gguf_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = spoil(tmp_path / "bad.gguf", gguf_file)  # type: ignore[operator]
    with pytest.raises(InputError) as refusal:
        open_gguf(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)
    if spoil is unknown_architecture:
        assert "qwenX" in str(refusal.value)
    assert capfd.readouterr().err == ""


def test_a_file_that_a_card_has_no_room_for_is_read_by_the_cpu(gguf_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = load_library()
    load, tried = library.llama_model_load_from_file, []

    def on_a_small_card(path: bytes, params: Any) -> Any:
        tried.append(params.n_gpu_layers)
        return None if params.n_gpu_layers else load(path, params)

    monkeypatch.setattr(library, "llama_model_load_from_file", on_a_small_card)
    with open_gguf(gguf_file, offload=Offload(20)) as model:
        assert model.vocabulary_size > 0
    assert tried == [20, 0]
