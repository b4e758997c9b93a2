"""Tensors as the compiled loops read them: where the numbers lie, and the tensors that keep them there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evomerge_core.merging.kernels import ABSENT, BF16, F32, LOW_RANK, OPERAND, Operands
from evomerge_core.sources.adapter import LowRank


@dataclass(frozen=True, eq=False)
class Operand:
    """The fields of one `kernels.OPERAND` and the tensors that its addresses point into."""

    fields: dict[str, Any]
    tensors: tuple[Tensor, ...] = field(default=(), repr=False)


NOTHING = Operand({"kind": ABSENT})


def whole(tensor: Tensor) -> Operand:
    """A whole tensor: bfloat16 and float32 where they lie, others as float32."""
    kept = tensor if tensor.dtype in (torch.bfloat16, torch.float32) else tensor.float()
    kept = kept.contiguous()
    return Operand({"kind": BF16 if kept.dtype == torch.bfloat16 else F32, "address": kept.data_ptr()}, (kept,))


def low_rank(added: LowRank) -> Operand:
    """The task vector `scale * up @ down` of an adapter, which the loops multiply out chunk by chunk."""
    up = (added.up * added.scale).contiguous()
    down = added.down.contiguous()
    rank, width = down.shape
    return Operand(
        {"kind": LOW_RANK, "address": up.data_ptr(), "down": down.data_ptr(), "rank": rank, "width": width}, (up, down)
    )


def records(operands: Sequence[Operand]) -> Operands:
    """The operands as the loops take them; valid as long as the operands live."""
    made = np.zeros(len(operands), OPERAND)
    for record, operand in zip(made, operands, strict=True):
        for name, value in operand.fields.items():
            record[name] = value
    return made
