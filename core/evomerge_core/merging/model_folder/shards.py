"""Writes safetensors shards from a stream, one tensor in memory at a time."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from evomerge_core.sources.stored.weight_file import BUFFER_DTYPES, DTYPES, TensorFacts

_DTYPES = {**DTYPES, **BUFFER_DTYPES}


@dataclass(frozen=True)
class Shard:
    """One file: its name and its tensors in the order of the file."""

    file: str
    tensors: Mapping[str, TensorFacts]


def plan_shards(tensors: Mapping[str, TensorFacts], shard_bytes: int) -> tuple[Shard, ...]:
    """Fills files of at most `shard_bytes` in the order of `tensors`; a larger tensor gets a file of its own."""
    groups: list[dict[str, TensorFacts]] = []
    filled = 0
    for name, facts in tensors.items():
        size = _size(facts)
        if not groups or filled + size > shard_bytes:
            groups.append({})
            filled = 0
        groups[-1][name] = facts
        filled += size
    if len(groups) == 1:
        return (Shard("model.safetensors", groups[0]),)
    return tuple(
        Shard(f"model-{number:05d}-of-{len(groups):05d}.safetensors", group) for number, group in enumerate(groups, start=1)
    )


def tensor_bytes(tensors: Mapping[str, TensorFacts]) -> int:
    """The size of all tensors."""
    return sum(_size(facts) for facts in tensors.values())


def write_shards(folder: Path, shards: Sequence[Shard], stream: Iterable[tuple[str, Tensor]]) -> None:
    """Writes the shards, and the index where there are several. `stream` gives the tensors in the order of the shards.

    ValueError when it gives another tensor, shape or dtype than was planned.
    """
    tensors = iter(stream)
    for shard in shards:
        with (folder / shard.file).open("wb") as file:
            file.write(_header(shard))
            for name, facts in shard.tensors.items():
                _write(file, next(tensors, None), name, facts)
    if next(tensors, None) is not None:
        raise ValueError("more tensors than were planned")
    if len(shards) > 1:
        index = {
            "metadata": {"total_size": sum(tensor_bytes(shard.tensors) for shard in shards)},
            "weight_map": {name: shard.file for shard in shards for name in shard.tensors},
        }
        text = json.dumps(index, indent=2, sort_keys=True) + "\n"
        (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8", newline="\n")


def _size(facts: TensorFacts) -> int:
    return math.prod(facts.shape) * _DTYPES[facts.dtype].itemsize


def _header(shard: Shard) -> bytes:
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, facts in shard.tensors.items():
        end = offset + _size(facts)
        entries[name] = {"dtype": facts.dtype, "shape": list(facts.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    # Spaces at the end align the numbers that follow, as the format asks.
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _write(file: BinaryIO, given: tuple[str, Tensor] | None, name: str, facts: TensorFacts) -> None:
    if given is None:
        raise ValueError(f"{name} is missing from the stream")
    planned = (name, facts.shape, _DTYPES[facts.dtype])
    if (given[0], tuple(given[1].shape), given[1].dtype) != planned:
        given_as = f"{given[0]} {list(given[1].shape)} {given[1].dtype}"
        raise ValueError(f"{given_as} in the place of {name} {list(facts.shape)} {planned[2]}")
    file.write(given[1].cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
