"""How many layers a GPU gets: worked out from the file's own sizes, and what llama.cpp is then asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import pytest

from evomerge_quant.chat.context_size import context_tokens
from evomerge_quant.llama import offload
from evomerge_quant.llama.library import load_library
from evomerge_quant.llama.model import Offload, open_gguf
from evomerge_quant.llama.offload import ALL_LAYERS, LayerSizes, layer_sizes, layers_that_fit
from support.tiny_gguf import LAYERS

MB = 1_000_000
# What a pass takes: 300 MB, and float32 logits of 512 tokens, of 1,000 each; of the free memory nine tenths are used.
PASS = 300 * MB + 4 * 512 * 1000
SIZES = LayerSizes(layers=(100 * MB,) * 10, head=50 * MB, cell=1000, vocabulary=1000)


@pytest.mark.parametrize(
    ("room", "cells", "layers"),
    [
        (50 * MB + 10 * 100 * MB, 0, ALL_LAYERS),
        (50 * MB + 10 * 100 * MB - 1, 0, 10),
        (50 * MB + 3 * 100 * MB, 0, 4),
        (50 * MB + 100 * MB, 0, 2),
        (50 * MB + 100 * MB - 1, 0, 0),
        (0, 0, 0),
        # 50,000 tokens are 50 MB more beside each layer
        (50 * MB + 3 * 150 * MB, 50_000, 4),
        (50 * MB + 10 * 150 * MB, 50_000, ALL_LAYERS),
    ],
)
def test_the_head_goes_first_and_then_layers_from_the_last(room: int, cells: int, layers: int) -> None:
    free = -(-(PASS + room) * 10 // 9)
    assert layers_that_fit(SIZES, free, cells) == layers


def test_layers_of_unlike_sizes_are_taken_from_the_end() -> None:
    sizes = LayerSizes(layers=(10 * MB, 10 * MB, 500 * MB), head=0, cell=0, vocabulary=0)
    assert layers_that_fit(sizes, 10 * (300 * MB + 400 * MB) // 9, 0) == 0
    assert layers_that_fit(sizes, 10 * (300 * MB + 512 * MB) // 9, 0) == 3


def test_sizes_are_those_of_the_files_tensors(gguf_file: Path) -> None:
    tensors = {tensor.name: tensor.data.nbytes for tensor in gguf.GGUFReader(gguf_file).tensors}
    sizes = layer_sizes(gguf_file)
    assert len(sizes.layers) == LAYERS
    inside = sum(size for name, size in tensors.items() if name.startswith("blk."))
    assert sum(sizes.layers) == inside
    head = tensors.get("output.weight", tensors["token_embd.weight"])
    assert sizes.head == head + tensors["output_norm.weight"]
    with open_gguf(gguf_file) as model:
        assert LAYERS * sizes.cell == model.cell_bytes
        assert sizes.vocabulary == model.vocabulary_size


@pytest.mark.parametrize(("short", "asked"), [(0, ALL_LAYERS), (1, LAYERS)])
def test_llama_cpp_is_asked_for_what_fits(short: int, asked: int, gguf_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library, tried = load_library(), []
    load = library.llama_model_load_from_file

    def recorded(path: bytes, params: Any) -> Any:
        tried.append(params.n_gpu_layers)
        params.n_gpu_layers = 0  # this build has no GPU
        return load(path, params)

    sizes = layer_sizes(gguf_file)
    needed = sum(sizes.layers) + sizes.head + LAYERS * 4096 * sizes.cell
    free = -(-(300 * MB + 4 * 512 * sizes.vocabulary + needed - short) * 10 // 9)
    monkeypatch.setattr(library, "llama_model_load_from_file", recorded)
    monkeypatch.setattr(library, "llama_supports_gpu_offload", lambda: True)
    monkeypatch.setattr(offload, "free_gpu_memory", lambda: free)
    with open_gguf(gguf_file) as model:
        assert tried == [asked]
        assert model.gpu_share == (1 if asked == ALL_LAYERS else (LAYERS - 1) / LAYERS)


def test_a_conversation_fits_beside_the_layers_on_both_sides(gguf_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = load_library()
    load = library.llama_model_load_from_file

    def on_no_gpu(path: bytes, params: Any) -> Any:
        params.n_gpu_layers = 0
        return load(path, params)

    monkeypatch.setattr(library, "llama_model_load_from_file", on_no_gpu)
    with open_gguf(gguf_file, offload=Offload(2)) as model:  # the head and one layer
        monkeypatch.setattr(type(model), "training_context", 10**9)
        here, there = 2 * 1000 * model.cell_bytes // LAYERS, 2 * 3000 * (LAYERS - 1) * model.cell_bytes // LAYERS
        for name, free in (("free_gpu_memory", here), ("available_ram", there)):
            monkeypatch.setattr(f"evomerge_quant.chat.context_size.{name}", lambda free=free: free)
        assert context_tokens(model) == 1000
        monkeypatch.setattr("evomerge_quant.chat.context_size.free_gpu_memory", lambda: 10 * here)
        assert context_tokens(model) == 3000
