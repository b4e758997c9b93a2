"""Two models on the same tokens: how far apart their next-token distributions are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# Positions that are compared at a time: float64 takes 8 bytes an entry, several times over.
_ENTRIES_AT_ONCE = 2**23


@dataclass(frozen=True)
class Stretch:
    """Tokens [0, n) of a text; the distributions after its tokens from `start` on are compared."""

    tokens: tuple[int, ...]
    start: int = 0


# Stretches -> their logits, float32 [tokens from `start` on, vocabulary] each.
ReadLogits = Callable[[Sequence[Stretch]], Sequence[Tensor]]


@dataclass(frozen=True)
class Divergence:
    """Over `positions`: Kullback-Leibler divergence in nats, and the share where both find the same token most likely."""

    positions: int
    mean_kl: float
    max_kl: float
    top1_agreement: float


def compare(batches: Iterable[Sequence[Stretch]], reference: ReadLogits, other: ReadLogits) -> Divergence:
    """KL(reference || other) over all batches; sums in float64. A position without numbers counts as infinitely far."""
    positions, agreed, total, most = 0, 0, 0.0, 0.0
    for stretches in batches:
        for wanted, found in zip(reference(stretches), other(stretches), strict=True):
            kl = divergences(wanted, found)
            positions += len(kl)
            total += float(kl.sum())
            most = max(most, float(kl.max()))
            agreed += int((wanted.argmax(dim=-1) == found.argmax(dim=-1).to(wanted.device)).sum())
    return Divergence(positions, total / max(1, positions), most, agreed / max(1, positions))


def divergences(reference: Tensor, other: Tensor) -> Tensor:
    """KL(reference || other) in nats, float64 [positions], of logits [positions, vocabulary].

    Where the models' vocabularies are padded to different sizes, the tokens that both have are compared.
    """
    shared = min(reference.shape[-1], other.shape[-1])
    parts = []
    at_once = max(1, _ENTRIES_AT_ONCE // shared)
    for wanted, found in zip(torch.split(reference, at_once), torch.split(other, at_once), strict=True):
        log_p = torch.log_softmax(wanted[:, :shared].double(), dim=-1)
        log_q = torch.log_softmax(found[:, :shared].to(wanted.device).double(), dim=-1)
        parts.append((log_p.exp() * (log_p - log_q)).sum(dim=-1))
    kl = torch.cat(parts)
    return torch.where(torch.isfinite(kl), kl.clamp(min=0.0), torch.inf)
