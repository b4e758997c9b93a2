from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import BPE, Unigram, WordLevel, WordPiece
from torch import Tensor
from transformers import LlamaForCausalLM

from evomerge_core.errors import InputError
from evomerge_core.sources.source import Source, open_source
from evomerge_core.sources.tokens import align, align_all, shared_tokens, vocabulary
from support.source_models import write_model, write_tokenizer

WORDS = [f"w{row}" for row in range(30)]
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def model(folder: Path, tokens: Sequence[str], rows: int, *, seed: int = 0, tied: bool = False) -> Source:
    write_tokenizer(write_model(folder, seed=seed, vocab_size=rows, tie_word_embeddings=tied), tokens)
    return open_source(str(folder), relative_to=Path())


def expected_rows(base: Tensor, base_tokens: Sequence[str], source: Tensor, source_tokens: Sequence[str]) -> Tensor:
    """The rule in plain words: same token, same row; no token on either side, same place; else the base's row."""
    rows = []
    for place in range(len(base)):
        if place < len(base_tokens):
            token = base_tokens[place]
            rows.append(source[source_tokens.index(token)] if token in source_tokens else base[place])
        elif len(source_tokens) <= place < len(source):
            rows.append(source[place])
        else:
            rows.append(base[place])
    return torch.stack(rows)


CASES = {
    "taller": (WORDS, 32, [*WORDS, "new1", "new2", "new3"], 40),
    "lower": ([*WORDS, "new1", "new2"], 40, WORDS, 32),
    "permuted": (WORDS, 32, WORDS[::-1], 32),
    "padded": (WORDS, 32, WORDS, 64),
    "less-padded": (WORDS, 64, WORDS, 32),
    "one-differs": (WORDS, 32, [*WORDS[:-1], "other"], 32),
    "token-in-padding": (WORDS, 40, [*WORDS, *(f"x{row}" for row in range(5))], 40),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("tied", [False, True])
def test_rows_follow_their_tokens(tmp_path: Path, case: str, tied: bool) -> None:
    base_tokens, base_height, source_tokens, source_height = CASES[case]
    base = model(tmp_path / "base", base_tokens, base_height, tied=tied)
    source = model(tmp_path / "source", source_tokens, source_height, seed=1, tied=tied)
    aligned = align(base, source)
    for name in (EMBEDDING,) if tied else (EMBEDDING, HEAD):
        expected = expected_rows(base.read(name), base_tokens, source.read(name), source_tokens)
        assert torch.equal(aligned.read(name), expected)
        assert torch.equal(aligned.stored(name), expected)
        assert aligned.shape(name) == tuple(expected.shape)
    norm = "model.norm.weight"
    assert aligned.read(norm).data_ptr() == source.read(norm).data_ptr()


def test_equal_vocabularies_change_nothing(tmp_path: Path) -> None:
    base, source = model(tmp_path / "base", WORDS, 32), model(tmp_path / "source", WORDS, 32, seed=1)
    aligned = align(base, source)
    assert aligned.rows is None
    assert align(base, base).rows is None
    assert aligned.read(EMBEDDING).data_ptr() == source.read(EMBEDDING).data_ptr()


def test_aligning_twice_is_aligning_once(tmp_path: Path) -> None:
    base, source = model(tmp_path / "base", WORDS, 32), model(tmp_path / "source", WORDS[::-1], 40, seed=1)
    once = align(base, source)
    assert torch.equal(align(base, once).read(HEAD), once.read(HEAD))


def test_an_embedding_adapter_moves_with_its_rows(tmp_path: Path) -> None:
    base = model(tmp_path / "base", [*WORDS, "only here"], 32)
    model(tmp_path / "source", WORDS[::-1], 36, seed=1)
    tuned = get_peft_model(
        LlamaForCausalLM.from_pretrained(tmp_path / "source"), LoraConfig(r=2, target_modules=["embed_tokens", "lm_head"])
    )
    for name, parameter in tuned.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter)
    tuned.save_pretrained(tmp_path / "lora")
    source = open_source("source+lora", relative_to=tmp_path)
    aligned = align(base, source)
    for name in (EMBEDDING, HEAD):
        expected = expected_rows(base.read(name), [*WORDS, "only here"], source.read(name), WORDS[::-1])
        torch.testing.assert_close(aligned.read(name), expected, rtol=1e-6, atol=1e-6)
        low_rank = aligned.low_rank(name)
        assert low_rank is not None
        whole = aligned.stored(name) + low_rank.scale * (low_rank.up @ low_rank.down)
        torch.testing.assert_close(whole, expected, rtol=1e-5, atol=1e-5)


def test_an_adapter_that_grew_the_vocabulary_brings_its_own_tokenizer(tmp_path: Path) -> None:
    base = model(tmp_path / "base", WORDS, 32)
    grown = LlamaForCausalLM.from_pretrained(tmp_path / "base")
    grown.resize_token_embeddings(35)
    tuned = get_peft_model(grown, LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"]))
    tuned.save_pretrained(tmp_path / "lora")
    tokens = [*WORDS[:5], "grown", *WORDS[5:]]
    write_tokenizer(tmp_path / "lora", tokens)
    source = open_source("base+lora", relative_to=tmp_path)
    saved = load_file(tmp_path / "lora" / "adapter_model.safetensors")["base_model.model.model.embed_tokens.weight"]
    assert source.shape(EMBEDDING) == (35, 64)
    assert torch.equal(source.read(EMBEDDING), saved)
    assert torch.equal(align(base, source).read(EMBEDDING), expected_rows(base.read(EMBEDDING), WORDS, saved, tokens))
    assert "adapter/tokenizer.json" in source.fingerprints()


def test_different_heights_need_both_tokenizers(tmp_path: Path) -> None:
    base, source = model(tmp_path / "base", WORDS, 32), model(tmp_path / "source", WORDS, 40, seed=1)
    (tmp_path / "source" / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"source/tokenizer.json: no such file, but .*40 rows"):
        align_all(base, {"source": source})
    low = model(tmp_path / "low", WORDS, 32, seed=2)
    (tmp_path / "low" / "tokenizer.json").unlink()
    assert align(base, low).rows is None


TOKENIZERS = {
    "bpe": Tokenizer(BPE({"<unk>": 0, "a": 1, "b": 2, "ab": 3}, [("a", "b")], unk_token="<unk>")),
    "unigram": Tokenizer(Unigram([("<unk>", 0.0), ("▁a", -1.0), ("b", -2.5)], unk_id=0)),
    "wordpiece": Tokenizer(WordPiece({"[UNK]": 0, "a": 1, "##b": 2}, unk_token="[UNK]")),
    "wordlevel": Tokenizer(WordLevel({"<unk>": 0, "a": 1}, unk_token="<unk>")),
}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_vocabularies_are_read_as_tokenizers_reads_them(pristine: Path, tmp_path: Path, kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    tokenizer.add_special_tokens([AddedToken("<|im_end|>", special=True)])
    tokenizer.add_tokens(["日本", "a"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    source = open_source(str(pristine), relative_to=Path())
    moved = replace(source, checkpoint=replace(source.checkpoint, folder=tmp_path))
    assert vocabulary(moved) == tokenizer.get_vocab(with_added_tokens=True)


_NOT_ROWS = ["7", "[1]", '{"a": "b"}', '{"a": -1}', '{"a": -9223372036854775808}', '{"a": 0.5}']
_BROKEN = ["{", "[]", "{}", '{"model": []}', *(f'{{"model": {{"vocab": {rows}}}}}' for rows in _NOT_ROWS)]


@pytest.mark.parametrize("content", _BROKEN)
def test_a_broken_tokenizer_is_named(tmp_path: Path, content: str) -> None:
    source = model(tmp_path / "m", WORDS, 32)
    (tmp_path / "m" / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        vocabulary(source)


def test_the_shared_part_of_two_vocabularies(tmp_path: Path) -> None:
    base = model(tmp_path / "base", WORDS, 40)
    assert shared_tokens(base, model(tmp_path / "more", [*WORDS, "x", "y"], 40)) == 1.0
    assert shared_tokens(base, model(tmp_path / "half", [*WORDS[:15], *(f"x{row}" for row in range(15))], 40)) == 0.5
