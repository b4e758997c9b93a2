"""Shares a tensor's blocks among threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TypeVar

import torch

from evomerge_core.merging.compiled.kernels import BLOCK

Result = TypeVar("Result")

# Below this a thread's start costs more than it saves.
_BLOCKS_PER_THREAD = 2


def block_count(size: int) -> int:
    """How many blocks a tensor of `size` numbers has; the last may be short."""
    return -(-size // BLOCK)


def for_blocks(kernel: Callable[..., Result], size: int, *arguments: object) -> list[Result]:
    """Calls kernel(first, last, size, *arguments) for ranges that cover all blocks, on as many threads as torch has.

    Returns what each call gave, in the order of the blocks.
    """
    blocks = block_count(size)
    parts = max(1, min(torch.get_num_threads(), blocks // _BLOCKS_PER_THREAD))
    edges = [blocks * part // parts for part in range(parts + 1)]
    others = [_threads(parts - 1).submit(kernel, first, last, size, *arguments) for first, last in pairwise(edges[1:])]
    own = kernel(edges[0], edges[1], size, *arguments)
    return [own, *(other.result() for other in others)]


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="merge")
