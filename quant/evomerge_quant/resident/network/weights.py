"""A candidate's tensors into the resident model, one by one, in place of the last candidate's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from evomerge_core.tasks.evaluator import CandidateError
from evomerge_quant.resident.network.carry import all_finite, carry_into
from evomerge_quant.resident.network.few_bits.linear import FewBitLinear

# What checkpoints call a tensor that transformers calls otherwise (GPT-NeoX's head).
_RENAMED = {"embed_out.weight": "lm_head.weight"}


@dataclass(frozen=True)
class Slot:
    """Where a tensor goes: its shape, and what takes it (False when it holds NaN or Inf; on a card, a number there)."""

    shape: tuple[int, ...]
    take: Callable[[Tensor], Tensor | bool]


@dataclass(frozen=True)
class WeightSlots:
    """A model's tensors by name; `aliases` are further names of tied ones, which a candidate may bring and need not."""

    slots: Mapping[str, Slot]
    aliases: frozenset[str]


def make_slots(model: Any, *, rounded: bool) -> WeightSlots:
    """The slots of a placed model. `rounded`: what is not quantised is rounded to bfloat16 first."""
    slots: dict[str, Slot] = {}
    for name, parameter in model.named_parameters():
        owner, _, attribute = name.rpartition(".")
        module = model.get_submodule(owner)
        if isinstance(module, FewBitLinear) and attribute == "weight":
            slots[name] = Slot(module.shape, module.take)
        else:
            slots[name] = Slot(tuple(parameter.shape), _copy_into(parameter.data, rounded=rounded))
    every = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    return WeightSlots(slots, frozenset(every - set(slots)))


def take_all(slots: WeightSlots, tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Puts every tensor into its slot.

    CandidateError names a tensor that holds NaN or Inf; ValueError one that is unknown, of another shape, or missing.
    """
    missing = dict.fromkeys(slots.slots)
    on_card: dict[str, Tensor] = {}
    for stored_name, tensor in tensors:
        name = stored_name if stored_name in slots.slots else _RENAMED.get(stored_name, stored_name)
        slot = slots.slots.get(name)
        if slot is None:
            if name in slots.aliases or name.endswith("rotary_emb.inv_freq"):
                continue
            raise ValueError(f"the candidate's tensor {name} is not one of the model's")
        if tuple(tensor.shape) != slot.shape:
            raise ValueError(f"the candidate's tensor {name} has shape {list(tensor.shape)}, the model's {list(slot.shape)}")
        finite = slot.take(tensor)
        if isinstance(finite, Tensor):
            on_card[name] = finite
        elif not finite:
            raise _not_finite(name)
        missing.pop(name, None)
    # All at once: to ask the card after each tensor would let it wait for the CPU, and the CPU for it.
    for name, is_finite in zip(on_card, torch.stack(list(on_card.values())).tolist() if on_card else (), strict=True):
        if not is_finite:
            raise _not_finite(name)
    if missing:
        raise ValueError(f"the candidate lacks {len(missing)} tensors, {next(iter(missing))} the first")


def _not_finite(name: str) -> CandidateError:
    return CandidateError(f"{name} holds NaN or Inf")


def _copy_into(room: Tensor, *, rounded: bool) -> Callable[[Tensor], Tensor | bool]:
    def take(tensor: Tensor) -> Tensor | bool:
        numbers = tensor.to(torch.bfloat16) if rounded else tensor
        if room.device.type != "cpu":
            carry_into(room, numbers)
            return all_finite(room)
        room.copy_(numbers)
        # A sum is finite only when all its terms are; one that overflowed is summed in float64, where none of float32 does.
        return bool(torch.isfinite(room.sum())) or bool(all_finite(room))

    return take
