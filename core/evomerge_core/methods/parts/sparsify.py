"""Four ways to thin a task vector: trim, drop the extremes, drop at random, drop at random by rank.

Entries are ordered by magnitude, the largest first; equal magnitudes by flat index, the lowest first.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.methods.parts.order_statistics import nth_smallest
from evomerge_core.methods.parts.random_field import uniform_field
from evomerge_core.methods.parts.reductions import l1_norm

_SMALLEST_L1 = 1e-7


def trim(delta: Tensor, density: float, rescale: bool = False) -> Tensor:
    """Keeps the largest entries (TIES, arXiv 2306.01708): int(density * numel) of them, at least one above density 0."""
    if density >= 1:
        return delta
    return _masked(delta, largest(delta, trimmed_size(density, delta.numel())), rescale)


def drop_extremes(delta: Tensor, density: float, gamma: float, rescale: bool = False) -> Tensor:
    """Drops the `gamma` part with the largest magnitudes, then the smallest until `density` remains.

    Where both can't be had, `density` is (Model Breadcrumbs, arXiv 2312.06795).
    """
    if density >= 1:
        return delta
    above, through = breadcrumb_ranks(density, gamma, delta.numel())
    return _masked(delta, largest(delta, through) & ~largest(delta, above), rescale)


def drop_random(delta: Tensor, density: float, key: int, rescale: bool = True) -> Tensor:
    """Keeps the entries whose random number is below `density` as float32 (DARE, arXiv 2311.03099): nested in density."""
    if density >= 1:
        return delta
    return _masked(delta, uniform_field(key, delta.shape, device=delta.device) < density, rescale)


def drop_by_rank(delta: Tensor, density: float, epsilon: float, key: int, rescale: bool = True) -> Tensor:
    """Keeps entries at random, the larger in their row the likelier (DELLA, arXiv 2406.11617): nested in density."""
    if density >= 1:
        return delta
    if density <= 0:
        return torch.zeros_like(delta)
    kept = uniform_field(key, delta.shape, device=delta.device) < rank_probabilities(delta, density, epsilon)
    return _masked(delta, kept, rescale)


def trimmed_size(density: float, numel: int) -> int:
    """How many entries trimming keeps."""
    if density <= 0 or numel == 0:
        return 0
    return max(1, int(density * numel))


def breadcrumb_ranks(density: float, gamma: float, numel: int) -> tuple[int, int]:
    """(a, b): of the entries in order of magnitude, the largest first, those from the a-th (from 0) up to b - 1 stay."""
    kept = int(density * numel)
    below = max(0, numel - kept - int(gamma * numel))
    return numel - below - kept, numel - below


def rank_probabilities(delta: Tensor, density: float, epsilon: float) -> Tensor:
    """Probabilities to stay, float32, of the shape of `delta`: density - epsilon for the smallest entry of a row to
    density + epsilon for the largest, in even steps. A vector is one row; a row is all that shares a first index.

    InputError unless both ends are probabilities that leave something to chance.
    """
    if density - epsilon <= 0 or density + epsilon >= 1:
        raise InputError(
            f"density {density:g} with epsilon {epsilon:g}",
            remedy="lower epsilon until density - epsilon is above 0 and density + epsilon below 1",
        )
    rows = delta.reshape(delta.shape[0] if delta.dim() > 1 else 1, -1)
    width = rows.shape[1]
    if width < 2:
        return torch.full(delta.shape, density, dtype=torch.float32, device=delta.device)
    order = rows.abs().argsort(dim=1, descending=True, stable=True)
    steps = torch.linspace(density + epsilon, density - epsilon, width, dtype=torch.float32, device=delta.device)
    probabilities = torch.empty(rows.shape, dtype=torch.float32, device=delta.device)
    return probabilities.scatter_(1, order, steps.expand_as(order)).reshape(delta.shape)


def largest(values: Tensor, k: int) -> Tensor:
    """True at the k entries of largest magnitude."""
    threshold, last_index = magnitude_threshold(values, k)
    magnitudes = values.abs().float().reshape(-1)
    kept = magnitudes > threshold
    kept[: last_index + 1] |= magnitudes[: last_index + 1] == threshold
    return kept.reshape(values.shape)


def magnitude_threshold(values: Tensor, k: int) -> tuple[float, int]:
    """(threshold, last index) such that the k entries of largest magnitude are those above the threshold and,
    of those equal to it, the ones whose flat index is at most the last index; (inf, -1) for none."""
    if k <= 0:
        return math.inf, -1
    magnitudes = values.abs().float().reshape(-1)
    k = min(k, magnitudes.numel())
    threshold = nth_smallest(magnitudes, magnitudes.numel() - k + 1)
    missing = k - int((magnitudes > threshold).sum())
    equal = (magnitudes == threshold).nonzero()
    return threshold, int(equal[missing - 1])


def _masked(delta: Tensor, kept: Tensor, rescale: bool) -> Tensor:
    thinned = delta * kept
    return thinned * l1_scale(delta, thinned) if rescale else thinned


def l1_scale(delta: Tensor, thinned: Tensor) -> float:
    """What gives a thinned task vector the L1 norm it had; 1 when either norm is too small to divide by."""
    before, after = l1_norm(delta), l1_norm(thinned)
    return 1.0 if min(before, after) < _SMALLEST_L1 else before / after
