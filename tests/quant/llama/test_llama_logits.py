"""Logits of many sequences, read together, in pieces and from forks, are those of transformers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from evomerge_quant.llama.context import LlamaContext, LlamaError, TokenRun
from evomerge_quant.llama.model import LlamaModel, open_gguf
from support.tiny_gguf import write_gguf

# llama.cpp keeps keys and values in 16 bits.
CLOSE = 0.06


@pytest.fixture(scope="module")
def oracle(folder: Path) -> AutoModelForCausalLM:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture
def model(gguf_file: Path) -> Iterator[LlamaModel]:
    with open_gguf(gguf_file) as opened:
        yield opened


@torch.no_grad()
def expected(oracle: AutoModelForCausalLM, tokens: list[int]) -> np.ndarray:
    logits: np.ndarray = oracle(torch.tensor([tokens])).logits[0].numpy()
    return logits


def texts(model: LlamaModel) -> list[list[int]]:
    return [model.tokenize(text) for text in ("the cat sat on the mat and ran", "one two 345", "größe 東京 🙂 the dog")]


@pytest.mark.parametrize("batch", [512, 7])
def test_sequences_do_not_see_each_other(oracle: AutoModelForCausalLM, model: LlamaModel, batch: int) -> None:
    rows = texts(model)
    with LlamaContext(model, cells=256, sequences=len(rows), batch=batch) as context:
        found = context.read([TokenRun(number, 0, row, wanted=len(row)) for number, row in enumerate(rows)])
    for row, logits in zip(rows, found, strict=True):
        np.testing.assert_allclose(logits, expected(oracle, row), atol=CLOSE)


def test_only_the_wanted_logits_come(oracle: AutoModelForCausalLM, model: LlamaModel) -> None:
    rows = texts(model)
    wanted = [3, 0, 5]
    with LlamaContext(model, cells=256, sequences=3, batch=11) as context:
        found = context.read([TokenRun(i, 0, row, wanted=n) for i, (row, n) in enumerate(zip(rows, wanted, strict=True))])
    for row, count, logits in zip(rows, wanted, found, strict=True):
        assert logits.shape == (count, model.vocabulary_size)
        np.testing.assert_allclose(logits, expected(oracle, row)[len(row) - count :], atol=CLOSE)


def test_a_fork_continues_from_what_it_shares_and_a_cut_forgets(oracle: AutoModelForCausalLM, model: LlamaModel) -> None:
    start, first, second = texts(model)
    with LlamaContext(model, cells=256, sequences=2) as context:
        context.read([TokenRun(0, 0, start)])
        context.fork(0, 1)
        at = len(start)
        found = context.read([TokenRun(0, at, first, wanted=1), TokenRun(1, at, second, wanted=1)])
        assert context.cut(1, at)
        again = context.read([TokenRun(1, at, first, wanted=1)])
    np.testing.assert_allclose(found[0][0], expected(oracle, start + first)[-1], atol=CLOSE)
    np.testing.assert_allclose(found[1][0], expected(oracle, start + second)[-1], atol=CLOSE)
    np.testing.assert_allclose(again[0][0], expected(oracle, start + first)[-1], atol=CLOSE)


def test_too_few_cells_is_an_error(model: LlamaModel) -> None:
    with LlamaContext(model, cells=256) as context, pytest.raises(LlamaError):
        context.read([TokenRun(0, 0, [5] * (context.cells + 1))])


def test_weights_of_8_bits_are_read_on_every_processor(oracle: AutoModelForCausalLM, folder: Path, tmp_path: Path) -> None:
    """Processors with AMX among them, where llama.cpp's own way ends the process at the first product."""
    file = write_gguf(folder, tmp_path / "model-Q8_0.gguf", kind=gguf.GGMLQuantizationType.Q8_0)
    with open_gguf(file) as opened, LlamaContext(opened, cells=256) as context:
        row = opened.tokenize("the cat sat on the mat and the dog ran one two three four 12 345 6789 " * 2)
        logits = context.read([TokenRun(0, 0, row, wanted=len(row))])[0]
    exact = expected(oracle, row)
    # rounding weights to 8 bits moves logits by some hundredths of their spread, wrong products by all of it
    assert np.abs(logits - exact).mean() < 0.1 * exact.std()
