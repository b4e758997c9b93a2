"""Merges with `dtype: bfloat16` or `float16`: how far evomerge-tui and mergekit are apart, and which is nearer to float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

FEW_BITS_HEAD = (
    "| merge | entries | equal | one step apart | further | at most (steps) | evomerge is nearest to float64 "
    "| mergekit is nearest | tied at a cut |\n| --- |" + " ---: |" * 8
)


@dataclass(frozen=True)
class FewBits:
    """Entries of two checkpoints by their distance, in numbers of their dtype, and how many of each are what float64 rounds to.

    `tied` entries, where a trimming method isn't defined, are counted nowhere else.
    """

    entries: int
    equal: int
    one_step: int
    further: int
    steps: int
    ours_nearest: int
    theirs_nearest: int
    tied: int


def few_bits(ours: Path, theirs: Path, exact: Path, ties: Callable[[str], Tensor | None]) -> FewBits:
    """Compares two checkpoints of one dtype with each other and with float64's, rounded to that dtype."""
    first, second, best = readers(ours), readers(theirs), readers(exact)
    if not first.keys() == second.keys() == best.keys():
        raise SystemExit(f"{ours} and {theirs} hold other tensors: {sorted(first.keys() ^ second.keys())[:3]}")
    counts = torch.zeros(7, dtype=torch.int64)
    furthest = 0
    for name in first:
        a, b, c = first[name](name), second[name](name), best[name](name)
        tied = ties(name)
        defined = torch.ones_like(a, dtype=torch.bool) if tied is None else ~tied
        apart = steps_apart(a, b)[defined]
        near, other = steps_apart(a, c)[defined] == 0, steps_apart(b, c)[defined] == 0
        here = [a.numel(), apart == 0, apart == 1, apart > 1, near, other, ~defined]
        counts += torch.tensor([int(one.sum()) if isinstance(one, Tensor) else one for one in here])
        furthest = max(furthest, int(apart.max()) if apart.numel() else 0)
    entries, equal, one_step, further, ours_nearest, theirs_nearest, tied_entries = counts.tolist()
    return FewBits(entries, equal, one_step, further, furthest, ours_nearest, theirs_nearest, tied_entries)


def few_bits_row(name: str, found: FewBits) -> str:
    """One line of the table, in parts of the entries that are defined."""
    defined = max(1, found.entries - found.tied)
    parts = [found.equal, found.one_step, found.further]
    nearest = [found.ours_nearest, found.theirs_nearest]
    shares = [f"{100 * part / defined:.2f} %" for part in (*parts, *nearest)]
    cells = [f"{found.entries:,}", *shares[:3], f"{found.steps:,}", *shares[3:], f"{found.tied:,}"]
    return f"| {name} | {' | '.join(cells)} |"


def steps_apart(left: Tensor, right: Tensor) -> Tensor:
    """How many numbers of a 16-bit dtype lie between two, counting one end; both zeros are one number."""
    return (_position(left) - _position(right)).abs()


def _position(tensor: Tensor) -> Tensor:
    bits = tensor.contiguous().view(torch.int16).int()
    return torch.where(bits >= 0, bits, -(bits & 0x7FFF))


def readers(folder: Path) -> dict[str, Callable[[str], Tensor]]:
    """What reads each tensor of a checkpoint, by name."""
    files = [safe_open(file, "pt") for file in sorted(folder.glob("*.safetensors"))]
    return {name: file.get_tensor for file in files for name in file.offset_keys()}  # type: ignore[no-untyped-call]
