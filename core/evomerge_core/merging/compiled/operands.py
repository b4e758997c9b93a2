"""Tensors as the compiled loops read them: where the numbers are, and the tensors that keep them there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evomerge_core.merging.compiled.kernels import ABSENT, BF16, F32, LOW_RANK, OPERAND, Operands
from evomerge_core.sources.adapter import LowRank

_NAMES = OPERAND.names or ()


@dataclass(frozen=True, eq=False)
class Operand:
    """The fields of one `kernels.OPERAND` and the tensors that its addresses point into."""

    fields: Mapping[str, Any]
    tensors: tuple[Tensor, ...] = field(default=(), repr=False)

    def with_fields(self, **fields: Any) -> Operand:
        """The same tensor with these fields set."""
        return Operand({**self.fields, **fields}, self.tensors)


NOTHING = Operand({"kind": ABSENT})


def whole(tensor: Tensor) -> Operand:
    """A whole tensor: bfloat16 and float32 in place, others as float32."""
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
    rows = [tuple(operand.fields.get(name, 0) for name in _NAMES) for operand in operands]
    return np.array(rows, OPERAND)
