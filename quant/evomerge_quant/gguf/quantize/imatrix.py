"""The importance matrix: which input channels of each matrix matter, measured on texts; llama.cpp rounds those more carefully.

For every linear layer the mean of its squared inputs per channel, under llama.cpp's name of its weight, as llama.cpp's own
imatrix tool collects it (tools/imatrix): of the layers only, not of embedding and output. Experts that transformers keeps in
one tensor have no layer of their own and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from evomerge_core.errors import InputError
from evomerge_core.sources.pretrained import load_network, read_tokenizer
from evomerge_quant.gguf.progress import ExportStep, OnStep
from evomerge_quant.resident.memory import available_bytes
from evomerge_quant.resident.out_of_memory import is_out_of_memory

if TYPE_CHECKING:
    from evomerge_quant.gguf.proof.proof_items import ProofItem

WHAT = "importance matrix"
_LEAST_TOKENS = 64


@dataclass
class _Squares:
    """A layer's sum of squared inputs, float64 [in_features], over so many tokens."""

    total: Tensor
    tokens: int = 0


def collect(model: Path, architecture: str, items: Sequence[ProofItem], on_step: OnStep) -> dict[str, np.ndarray]:
    """Mean squares, float32 [in_features], by llama.cpp's tensor name, over the items' prompts and gold answers.

    `architecture` is llama.cpp's name of the model's (general.architecture). InputError for too few tokens.
    """
    tokenizer = read_tokenizer(model)
    network, device = _placed(model)
    texts = [_tokens(tokenizer, item) for item in items]
    if sum(map(len, texts)) < _LEAST_TOKENS:
        raise InputError("--imatrix: the search items hold too little text; leave the option out")
    with _watched(network) as squares, torch.inference_mode():
        for number, tokens in enumerate(texts):
            on_step(ExportStep(WHAT, number / len(texts)))
            network.base_model(input_ids=torch.tensor([tokens], device=device), use_cache=False)
    layers = int(network.config.get_text_config().num_hidden_layers)
    return dict(_named(squares, architecture, layers))


def save_imatrix(path: Path, importance: dict[str, np.ndarray]) -> None:
    """Writes an .npz with one vector per tensor."""
    with path.open("wb") as file:
        np.savez(file, **importance)  # type: ignore[arg-type, unused-ignore]


def _tokens(tokenizer: Any, item: ProofItem) -> list[int]:
    question = item.question
    tokens: list[int] = tokenizer.encode(question.prompt + question.gold, add_special_tokens=question.add_special_tokens)
    return tokens


def _placed(model: Path) -> tuple[Any, torch.device]:
    """The network and where it is: on the CPU too where a card turns out to be too small."""
    device, dtype = _place(model)
    try:
        return load_network(model, dtype).to(device).eval(), device
    except (RuntimeError, MemoryError) as error:
        if device.type == "cpu" or not is_out_of_memory(error):
            raise
    device, dtype = _place(model, card=False)
    return load_network(model, dtype).eval(), device


def _place(model: Path, *, card: bool = True) -> tuple[torch.device, torch.dtype]:
    """Where the model fits: bf16 on a GPU, float32 on a CPU, which is slow in bf16, or bf16 there when float32 doesn't fit."""
    stored = sum(file.stat().st_size for file in model.glob("*.safetensors"))
    if card and torch.cuda.is_available() and 1.2 * stored < available_bytes(torch.device("cuda")):
        return torch.device("cuda"), torch.bfloat16
    cpu = torch.device("cpu")
    return cpu, torch.float32 if 2.4 * stored < available_bytes(cpu) else torch.bfloat16


@contextmanager
def _watched(network: nn.Module) -> Iterator[dict[str, _Squares]]:
    """Sums the squared inputs of every matrix layer while the context lasts."""
    squares: dict[str, _Squares] = {}
    hooks = []
    for name, module in network.named_modules():
        weight = getattr(module, "weight", None)
        if _is_matrix(module) and isinstance(weight, Tensor):
            squares[name] = _Squares(torch.zeros(0, dtype=torch.float64))
            hooks.append(module.register_forward_pre_hook(_adder(squares[name])))
    try:
        yield squares
    finally:
        for hook in hooks:
            hook.remove()


def _is_matrix(module: nn.Module) -> bool:
    # Conv1D is GPT-2's linear layer, transposed.
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"


def _adder(into: _Squares) -> Callable[[nn.Module, tuple[Any, ...]], None]:
    def add(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        rows = inputs[0].detach().reshape(-1, inputs[0].shape[-1]).to(torch.float32)
        summed = rows.square().sum(dim=0).to("cpu", torch.float64)
        into.total = summed if into.tokens == 0 else into.total + summed
        into.tokens += rows.shape[0]

    return add


def _named(squares: dict[str, _Squares], architecture: str, layers: int) -> Iterator[tuple[str, np.ndarray]]:
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map

    known = {name: arch for arch, name in MODEL_ARCH_NAMES.items()}
    if architecture not in known:
        raise InputError(f"--imatrix: the tensor names of {architecture} aren't known; leave the option out")
    names = get_tensor_name_map(known[architecture], layers)
    for module, found in squares.items():
        name = names.get_name(f"{module}.weight", try_suffixes=(".weight",))
        if name is not None and name.startswith("blk.") and found.tokens:
            yield name, (found.total / found.tokens).numpy().astype(np.float32)
