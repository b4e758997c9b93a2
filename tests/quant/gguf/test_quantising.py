"""Sizes are what llama.cpp makes them, importance is what the formula says, and both reach the file."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from evomerge_core.errors import InputError
from evomerge_core.tasks.evaluator import Question
from evomerge_quant.gguf.convert.convert import run_converter, waiting_converter
from evomerge_quant.gguf.proof.proof_items import ProofItem
from evomerge_quant.gguf.quantize.file_types import FILE_TYPES
from evomerge_quant.gguf.quantize.imatrix import collect, save_imatrix
from evomerge_quant.gguf.quantize.mixture import predict
from evomerge_quant.gguf.quantize.quantize import quantize
from evomerge_quant.gguf.subject.subject import subject_of_folder
from support.gguf_models import make_model

ITEMS = (
    ProofItem(Question(prompt="Größe, naïve café: 3,14 € and 東京は日本の首都です。 What is that in your words, and why?")),
    ProofItem(Question(prompt="The quick brown fox jumps over 13 lazy dogs, and what then?", gold=" Nothing.")),
    ProofItem(Question(prompt="Water boils at a lower temperature on a mountain, because the air is thin")),
)
# Widths that blocks of 256 divide, and widths that they don't.
WIDTHS: dict[str, dict[str, Any]] = {
    "wide": {"hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 64},
    "narrow": {"hidden_size": 96, "intermediate_size": 160, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 24},
}
PLAIN_TYPES = ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_K_S", "IQ4_XS", "Q3_K_M")
IMATRIX_TYPES = ("IQ4_XS", "Q4_0")


@pytest.fixture(scope="module", params=[("wide", "llama"), ("narrow", "llama-tied")], ids=lambda p: p[0])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, converter: Path) -> tuple[Path, Path]:
    """A model folder in bf16 and its plain GGUF."""
    widths, family = request.param
    place = tmp_path_factory.mktemp("model")
    folder = make_model(place / "random", family, dtype=torch.bfloat16, num_hidden_layers=8, **WIDTHS[widths])
    with waiting_converter(converter) as process:
        run_converter(process, folder, place / "plain.gguf", "BF16", {}, lambda _: None)
    return folder, place / "plain.gguf"


def tensors(path: Path) -> Mapping[str, gguf.ReaderTensor]:
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


@pytest.mark.parametrize("name", PLAIN_TYPES)
def test_the_predicted_size_is_the_files(name: str, model: tuple[Path, Path], tmp_path: Path) -> None:
    folder, plain = model
    quantize(plain, tmp_path / "out.gguf", FILE_TYPES[name], lambda _: None)
    wanted = sum(int(tensor.n_bytes) for tensor in tensors(tmp_path / "out.gguf").values())
    assert predict(subject_of_folder(folder).shapes, FILE_TYPES[name], imatrix=False).bytes == wanted


@pytest.fixture(scope="module")
def importance(model: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    found = collect(model[0], "llama", ITEMS, lambda _: None)
    path = tmp_path_factory.mktemp("imatrix") / "imatrix.npz"
    save_imatrix(path, found)
    return path, found


@pytest.mark.parametrize("name", IMATRIX_TYPES)
def test_the_predicted_size_is_the_files_with_an_importance_matrix(
    name: str, model: tuple[Path, Path], importance: tuple[Path, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    folder, plain = model
    quantize(plain, tmp_path / "out.gguf", FILE_TYPES[name], lambda _: None, importance[0])
    wanted = sum(int(tensor.n_bytes) for tensor in tensors(tmp_path / "out.gguf").values())
    assert predict(subject_of_folder(folder).shapes, FILE_TYPES[name], imatrix=True).bytes == wanted


@torch.inference_mode()
def test_importance_is_the_mean_square_of_each_layers_input(
    model: tuple[Path, Path], importance: tuple[Path, dict[str, np.ndarray]]
) -> None:
    """Against hidden states that transformers gives out, normed by the formula of RMSNorm."""
    folder, plain = model
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    states: list[list[np.ndarray]] = [[], []]
    for item in ITEMS:
        ids = tokenizer.encode(item.question.prompt + item.question.gold, add_special_tokens=False)
        hidden = network(torch.tensor([ids]), output_hidden_states=True).hidden_states
        for layer in (0, 1):
            states[layer].append(hidden[layer][0].numpy())
    for layer in (0, 1):
        x = np.concatenate(states[layer])
        weight = network.model.layers[layer].input_layernorm.weight.numpy()
        normed = x / np.sqrt((x**2).mean(axis=1, keepdims=True) + network.config.rms_norm_eps) * weight
        for part in ("q", "k", "v"):
            np.testing.assert_allclose(importance[1][f"blk.{layer}.attn_{part}.weight"], (normed**2).mean(axis=0), rtol=1e-3)
    matrices = {name for name, tensor in tensors(plain).items() if name.startswith("blk.") and len(tensor.shape) == 2}
    assert set(importance[1]) == matrices


def test_an_importance_matrix_lowers_the_error_that_it_weighs(
    model: tuple[Path, Path], importance: tuple[Path, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    _, plain = model
    exact = tensors(plain)
    errors = []
    for path in (None, importance[0]):
        quantize(plain, tmp_path / "out.gguf", FILE_TYPES["Q4_0"], lambda _: None, path)
        found = tensors(tmp_path / "out.gguf")
        # a later layer, which gets the same type in both
        weighed = [name for name in importance[1] if name.startswith("blk.4.")]
        errors.append([error(exact[name], found[name], importance[1][name]) for name in weighed])
    without, with_importance = errors
    assert len(without) == 7
    assert all(b < a for a, b in zip(without, with_importance, strict=True))


def error(exact: gguf.ReaderTensor, found: gguf.ReaderTensor, weight: np.ndarray) -> float:
    both = [gguf.dequantize(tensor.data, tensor.tensor_type) for tensor in (exact, found)]
    return float((weight * (both[0] - both[1]) ** 2).sum())


def test_values_beyond_half_precision_are_reported_in_one_line(model: tuple[Path, Path], tmp_path: Path) -> None:
    path = Path(shutil.copyfile(model[1], tmp_path / "plain.gguf"))
    embedding = next(tensor for tensor in gguf.GGUFReader(path, "r+").tensors if tensor.name == "token_embd.weight")
    embedding.data.view(np.uint16)[3, 4] = 0x4974  # 1e6 in bf16
    embedding.data.flush()
    with pytest.raises(InputError, match="--type F16: some weights are out of range for this type; use BF16"):
        quantize(path, tmp_path / "out.gguf", FILE_TYPES["F16"], lambda _: None)
