"""Candidates into the resident model: what it then holds, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import bitsandbytes.functional as bnb
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType
from gguf import dequantize as gguf_dequantize
from gguf import quantize as gguf_quantize
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from evomerge_core.errors import InputError
from evomerge_core.recipe.schema import Arithmetic
from evomerge_core.tasks.evaluator import CandidateError, Question
from evomerge_quant.resident import memory
from evomerge_quant.resident.model import ResidentModel, build
from evomerge_quant.resident.network.few_bits.nf4_linear import Nf4Linear
from evomerge_quant.resident.network.plain_attention import fused_attention_works
from evomerge_quant.resident.network.skeleton import FEW_BITS, Precision, few_bit_layers

MakeFolder = Callable[..., Path]
IDS = torch.tensor([[30, 31, 140, 32, 299, 33]])
QUESTIONS = [Question(f"w{30 + i} w{100 + i} w31", gold=f"w{60 + i} w61", max_new_tokens=8) for i in range(10)]
IN_FEW_BITS = pytest.mark.parametrize("precision", ["nf4", "int5", "int8"])
ROOMS = pytest.mark.parametrize("unpacked", [True, False], ids=["unpacked", "packed"])


# transformers' own choice, or the one that the processor can: they differ in bfloat16's last bits
ATTENTION = {dtype: None if fused_attention_works(dtype) else "eager" for dtype in (torch.float32, torch.bfloat16)}


def candidate(folder: Path, dtype: torch.dtype = torch.bfloat16) -> dict[str, Tensor]:
    return {name: tensor.to(dtype) for name, tensor in load_file(folder / "model.safetensors").items()}


def nf4_values(weight: Tensor) -> Tensor:
    """The float32 values that bitsandbytes' NF4 gives a matrix whose size is a multiple of 64.

    Taken in rows of one block: 0.50.2's own dequantising gives wrong values for some other widths on AVX-512.
    """
    codes, state = bnb.quantize_4bit(weight.float().reshape(-1, 64), blocksize=64, quant_type="nf4")
    return bnb.dequantize_4bit(codes, state).reshape(weight.shape)


def gguf_values(weight: Tensor, gguf_type: GGMLQuantizationType) -> Tensor:
    """The float32 values that gguf-py gives a matrix; a row that is no whole blocks of 32 has zeros after it."""
    padded = torch.nn.functional.pad(weight.float(), (0, -weight.shape[1] % 32)).numpy()
    return torch.from_numpy(gguf_dequantize(gguf_quantize(padded, gguf_type), gguf_type))[:, : weight.shape[1]]


GGUF_VALUES = {
    "int5": partial(gguf_values, gguf_type=GGMLQuantizationType.Q5_0),
    "int8": partial(gguf_values, gguf_type=GGMLQuantizationType.Q8_0),
}


def dequantized(tensors: dict[str, Tensor], precision: Precision) -> dict[str, Tensor]:
    """The decoder layers' matrices as a precision of few bits has them; the rest as it is."""
    values = {"nf4": nf4_values, **GGUF_VALUES}[precision]
    return {name: values(tensor) if "_proj.weight" in name else tensor.float() for name, tensor in tensors.items()}


@torch.no_grad()
def oracle_logits(folder: Path, tensors: dict[str, Tensor], dtype: torch.dtype = torch.float32) -> Tensor:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation=ATTENTION[dtype]).eval()
    model.load_state_dict(tensors, strict=False)
    model.tie_weights()
    logits: Tensor = model(IDS).logits
    return logits


@torch.no_grad()
def logits(model: ResidentModel) -> Tensor:
    out: Tensor = model.module(IDS).logits
    return out


def built(
    folder: Path,
    precision: Precision,
    unpacked: bool,
    monkeypatch: pytest.MonkeyPatch,
    arithmetic: Arithmetic = "float32",
) -> ResidentModel:
    if not unpacked:
        monkeypatch.setattr(memory, "available_bytes", lambda _: 1000)
    return build(folder, precision=precision, device="cpu", arithmetic=arithmetic, batch_size=4)


@ROOMS
@IN_FEW_BITS
@pytest.mark.parametrize("family", ["llama", "llama-tied", "qwen2", "gemma2"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_logits_are_those_of_the_dequantised_weights(
    model_folder: MakeFolder,
    family: str,
    dtype: torch.dtype,
    precision: Precision,
    unpacked: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = model_folder(family)
    model = built(folder, precision, unpacked, monkeypatch)
    layers = few_bit_layers(model.module)
    assert len(layers) == 3 * 7
    assert all(type(layer) is FEW_BITS[precision] for layer in layers)
    assert all((layer.dense is not None) == unpacked for layer in layers)
    tensors = candidate(folder, dtype)
    model.load(tensors.items())
    rounded = {k: v if "_proj.weight" in k else v.bfloat16() for k, v in tensors.items()}
    torch.testing.assert_close(logits(model), oracle_logits(folder, dequantized(rounded, precision)), rtol=1e-5, atol=2e-5)


@ROOMS
@pytest.mark.parametrize("precision", ["nf4", "int5", "int8", "bf16"])
@pytest.mark.parametrize("family", ["llama", "llama-tied", "qwen2", "gemma2"])
def test_logits_in_bfloat16_are_transformers_own_bit_for_bit(
    model_folder: MakeFolder, family: str, precision: Precision, unpacked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model_folder(family)
    model = built(folder, precision, unpacked, monkeypatch, "bfloat16")
    assert model.compute_dtype == torch.bfloat16
    tensors = candidate(folder)
    model.load(tensors.items())
    held = dequantized(tensors, precision) if precision in FEW_BITS else tensors
    rounded = {name: tensor.bfloat16() for name, tensor in held.items()}
    assert torch.equal(logits(model), oracle_logits(folder, rounded, torch.bfloat16))


def bitsandbytes_values(weight: Tensor) -> Tensor:
    """What bitsandbytes' codes and scales of a matrix of any width stand for: levels looked up in numpy."""
    codes, state = bnb.quantize_4bit(weight.float(), blocksize=64, quant_type="nf4")
    pairs = codes.reshape(-1).numpy()
    levels = np.stack([pairs >> 4, pairs & 15], axis=1).reshape(-1)[: weight.numel()]
    values = state.code.numpy()[levels] * np.repeat(state.absmax.numpy(), 64)[: weight.numel()]
    return torch.from_numpy(values.reshape(weight.shape))


@IN_FEW_BITS
@pytest.mark.parametrize("arithmetic", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", [(64, 96), (64, 160), (5, 33), (3, 100), (7, 1), (48, 2500)])
def test_layers_of_any_width_give_the_products_of_what_the_codes_stand_for(
    precision: Precision, arithmetic: Arithmetic, shape: tuple[int, int]
) -> None:
    """Packed and unpacked alike; the oracle's codes are bitsandbytes' and gguf-py's."""
    out, width = shape
    torch.manual_seed(width)
    weight, x = torch.randn(shape).bfloat16(), torch.randn(6, width)
    dtype = getattr(torch, arithmetic)
    values = {"nf4": bitsandbytes_values, **GGUF_VALUES}[precision](weight)
    expected = x.to(dtype).double() @ values.to(dtype).double().t()
    products = []
    for unpacked in (True, False):
        layer = FEW_BITS[precision](torch.nn.Linear(width, out, bias=False), dtype)
        layer.place(torch.device("cpu"), unpacked=unpacked)
        assert layer.take(weight)
        products.append(layer(x.to(dtype)))
        rounding = 1e-6 if dtype == torch.float32 else 1e-2
        torch.testing.assert_close(products[-1].double(), expected, rtol=rounding, atol=rounding * 4 * width**0.5)
    assert torch.equal(*products)


@IN_FEW_BITS
def test_a_layers_bias_is_added(precision: Precision) -> None:
    like = torch.nn.Linear(40, 7)
    layer = FEW_BITS[precision](like, torch.float32)
    layer.place(torch.device("cpu"), unpacked=False)
    layer.bias = like.bias
    assert layer.take(torch.zeros(7, 40))
    assert torch.equal(layer(torch.randn(2, 3, 40)), like.bias.expand(2, 3, 7))


def test_nf4_layers_hold_what_bitsandbytes_holds_for_the_same_checkpoint(model_folder: MakeFolder) -> None:
    folder = model_folder("llama")
    settings = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32)
    theirs = AutoModelForCausalLM.from_pretrained(folder, quantization_config=settings, dtype=torch.float32)
    model = build(folder, precision="nf4", device="cpu")
    model.load(candidate(folder, torch.float32).items())
    compared = 0
    for name, layer in model.module.named_modules():
        if isinstance(layer, Nf4Linear):
            other = theirs.get_submodule(name)
            assert torch.equal(layer.weight.data, other.weight.data)
            assert torch.equal(layer.quant_state.absmax, other.weight.quant_state.absmax)
            compared += 1
    assert compared == 21


@ROOMS
@pytest.mark.parametrize("precision", ["nf4", "int5", "int8", "bf16", "fp32"])
def test_a_then_b_then_a(
    model_folder: MakeFolder, precision: Precision, unpacked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = model_folder("llama-tied", seed=1), model_folder("llama-tied", seed=2)
    model = built(first, precision, unpacked, monkeypatch)
    model.load(candidate(first).items())
    answers, outputs = model.answer(QUESTIONS), logits(model)
    model.load(candidate(second).items())
    assert model.answer(QUESTIONS) != answers
    model.load(reversed(candidate(first).items()))
    assert model.answer(QUESTIONS) == answers
    assert torch.equal(logits(model), outputs)


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_plain_precisions(model_folder: MakeFolder, precision: Precision, dtype: torch.dtype) -> None:
    folder = model_folder("qwen2")
    model = build(folder, precision=precision, device="cpu")
    model.load(candidate(folder, torch.float32).items())
    expected = {name: tensor.to(dtype).float() for name, tensor in candidate(folder, torch.float32).items()}
    assert model.precision == precision
    torch.testing.assert_close(logits(model), oracle_logits(folder, expected), rtol=1e-5, atol=2e-5)


def test_the_swap_with_bitsandbytes_own_quantising_gives_the_same_products() -> None:
    """The way that CUDA quantises, run here on the CPU: weights, state and the module's state change together."""
    layer = Nf4Linear(torch.nn.Linear(128, 96, bias=False), torch.float32)
    layer.place(torch.device("cpu"), unpacked=False)
    x = torch.randn(5, 128)
    for seed in (1, 2):
        torch.manual_seed(seed)
        weight = torch.randn(96, 128).bfloat16()
        assert layer._take_on_card(weight)
        assert layer.weight.quant_state is layer.quant_state
        with torch.no_grad():
            product = layer(x)
        values = bnb.dequantize_4bit(*bnb.quantize_4bit(weight.float(), blocksize=64, quant_type="nf4"))
        torch.testing.assert_close(product, x @ values.t())


@pytest.mark.parametrize("precision", ["nf4", "int5", "int8", "bf16", "fp32"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["model.layers.1.mlp.up_proj.weight", "model.embed_tokens.weight", "model.norm.weight"])
def test_a_tensor_with_nan_or_inf_is_named_and_nothing_is_answered(
    model_folder: MakeFolder, precision: Precision, bad: float, name: str
) -> None:
    folder = model_folder()
    model = build(folder, precision=precision, device="cpu")
    model.load(candidate(folder).items())
    tensors = candidate(folder)
    tensors[name].view(-1)[-3] = bad
    with pytest.raises(CandidateError, match=f"{name} holds NaN or Inf"):
        model.load(tensors.items())
    with pytest.raises(ValueError, match="holds no candidate"):
        model.answer(QUESTIONS)
    model.load(candidate(folder).items())
    assert len(model.answer(QUESTIONS)) == len(QUESTIONS)


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_a_candidate_of_another_make_is_refused(model_folder: MakeFolder, change: str) -> None:
    folder = model_folder()
    name = "model.layers.0.mlp.up_proj.weight"
    tensors = candidate(folder)
    if change == "missing":
        del tensors[name]
    elif change == "unknown":
        tensors["model.layers.9.mlp.up_proj.weight"] = tensors[name]
        name = "model.layers.9.mlp.up_proj.weight"
    else:
        tensors[name] = tensors[name].t()
    with pytest.raises(ValueError, match=name):
        build(folder, precision="nf4", device="cpu").load(tensors.items())


def test_a_tied_heads_second_copy_is_passed_over(model_folder: MakeFolder) -> None:
    folder = model_folder("llama-tied")
    model = build(folder, precision="nf4", device="cpu")
    model.load(candidate(folder).items())
    alone = logits(model)
    model.load([*candidate(folder).items(), ("lm_head.weight", torch.zeros(300, 64))])
    assert torch.equal(logits(model), alone)
    assert model.module.lm_head.weight is model.module.model.embed_tokens.weight


def test_weights_that_overflow_are_a_failed_candidate(model_folder: MakeFolder) -> None:
    folder = model_folder()
    tensors = {k: v * 1e30 if "_proj" in k else v for k, v in candidate(folder).items()}
    model = build(folder, precision="nf4", device="cpu")
    model.load(tensors.items())
    for questions in (QUESTIONS, [Question("w30 w31")], [Question("w30 w31", choices=("w50", "w60"))]):
        with pytest.raises(CandidateError, match="NaN or Inf"):
            model.answer(questions)


def test_a_folder_without_config_or_tokenizer(model_folder: MakeFolder) -> None:
    folder = model_folder()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"tokenizer\.json: not found"):
        build(folder, precision="nf4", device="cpu")
    with pytest.raises(InputError, match=r"config\.json: not found"):
        build(folder / "none", precision="nf4", device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_cuda_where_there_is_none(model_folder: MakeFolder) -> None:
    with pytest.raises(InputError, match="no CUDA device"):
        build(model_folder(), precision="nf4", device="cuda")
    assert build(model_folder(), precision="nf4").device.type == "cpu"
