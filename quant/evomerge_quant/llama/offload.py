"""How many layers of a GGUF go to the GPU: as many as its free memory holds, counted as llama.cpp counts them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_quant.gguf_head import read_head
from evomerge_quant.llama.gpu_memory import free_gpu_memory
from evomerge_quant.llama.library import load_library

ALL_LAYERS = 2**31 - 1
# Tokens whose keys and values should lie beside their layers; a longer conversation takes what is left.
_CELLS = 4096
# Of the free memory the share that weights, keys and values may take: others draw on the card too.
_SHARE = 0.9
# What llama.cpp reserves for a pass over 512 tokens: activations, and float32 logits of all of them.
_PASS_TOKENS, _PASS_BYTES = 512, 300_000_000
_LAYER = re.compile(r"blk\.(\d+)\.")
_HEAD, _EMBEDDING = "output.weight", "token_embd.weight"


@dataclass(frozen=True)
class LayerSizes:
    """Bytes of a GGUF's weights: of each layer, and of the head with the norm before it. `cell` are those of one token's keys
    and values in one layer, in 16 bits; `vocabulary` is the number of tokens."""

    layers: tuple[int, ...]
    head: int
    cell: int
    vocabulary: int


def layers_that_fit(sizes: LayerSizes, free: int, cells: int) -> int:
    """The number for llama.cpp's `n_gpu_layers`: it takes the head first, then layers from the last to the first.

    `free` are the GPU's free bytes, `cells` the tokens whose keys and values lie with each layer. 0 where the head alone
    would go; all of them where all fit.
    """
    room = int(_SHARE * free) - _PASS_BYTES - 4 * _PASS_TOKENS * sizes.vocabulary - sizes.head
    count = 0
    for layer in reversed(sizes.layers):
        room -= layer + cells * sizes.cell
        if room < 0:
            break
        count += 1
    if count == len(sizes.layers):
        return ALL_LAYERS
    return count + 1 if count else 0


def choose_layers(path: Path) -> int:
    """`n_gpu_layers` for a file on this machine: 0 where the installed build has no GPU; all where the file can't be read,
    of which llama.cpp then says why."""
    if not load_library().llama_supports_gpu_offload():
        return 0
    free = free_gpu_memory()
    try:
        return layers_that_fit(layer_sizes(path), free, _CELLS) if free else ALL_LAYERS
    except InputError:
        return ALL_LAYERS


def layer_sizes(path: Path) -> LayerSizes:
    """The sizes in a GGUF's head. InputError for a file that can't be read as one."""
    from gguf import GGUFReader

    # gguf's own reader believes every length
    read_head(path, (), remedy="export it again")
    try:
        reader = GGUFReader(path)
        stored = {tensor.name: int(tensor.n_bytes) for tensor in reader.tensors}
        cell = _cell_bytes(reader)
        vocabulary = int(next(tensor.shape[1] for tensor in reader.tensors if tensor.name == _EMBEDDING))
    except (ValueError, KeyError, IndexError, StopIteration, TypeError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"not readable as a GGUF ({type(error).__name__})", where=path, remedy="export it again") from None
    layers: dict[int, int] = {}
    for name, size in stored.items():
        if (found := _LAYER.match(name)) is not None:
            layers[int(found[1])] = layers.get(int(found[1]), 0) + size
    behind = sum(size for name, size in stored.items() if name.startswith("output"))
    # a tied head is the embedding once more, on the GPU
    tied = 0 if _HEAD in stored else stored[_EMBEDDING]
    return LayerSizes(tuple(layers[number] for number in sorted(layers)), behind + tied, cell, vocabulary)


def _cell_bytes(reader: Any) -> int:
    """Bytes of a token's keys and values in the layer that has most heads."""

    def number(key: str, default: int) -> int:
        field = reader.fields.get(f"{architecture}.{key}")
        value = default if field is None else field.contents()
        return max(map(int, value)) if isinstance(value, Sequence) else int(value)

    architecture = reader.fields["general.architecture"].contents()
    heads = number("attention.head_count", 1)
    width = number("embedding_length", 0) // max(1, heads)
    kept = number("attention.head_count_kv", heads)
    return 2 * kept * (number("attention.key_length", width) + number("attention.value_length", width))
