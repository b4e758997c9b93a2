"""A task vector that is never built: where its numbers are, and what does not change from candidate to candidate."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from evomerge_core.merging.compiled.blocks import for_blocks
from evomerge_core.merging.compiled.kernels import norm_blocks
from evomerge_core.merging.compiled.magnitudes import Counts, Threshold, coarse_counts, threshold
from evomerge_core.merging.compiled.operands import Operand, records

Value = TypeVar("Value")
Known = dict[Hashable, dict[Hashable, Value]]

_SMALLEST_L1 = 1e-7
# A search that varies the density asks for a new value with each candidate, and seldom for an old one.
_RECENT = 8


@dataclass(frozen=True, eq=False)
class TaskVector:
    """`size` numbers: `operand` less `base`, or `operand` alone where it's of low rank.

    `subject` distinguishes it from all others of a run.
    """

    subject: tuple[str, ...]
    size: int
    base: Operand
    operand: Operand

    def with_fields(self, **fields: Any) -> TaskVector:
        """The same task vector with these fields of its `kernels.OPERAND` set."""
        return TaskVector(self.subject, self.size, self.base, self.operand.with_fields(**fields))


@dataclass(frozen=True, eq=False)
class VectorFacts:
    """Thresholds and norms of task vectors, and angles between tensors: of each, the last few asked for are remembered."""

    _coarse: Known[Counts] = field(default_factory=dict)
    _thresholds: Known[Threshold] = field(default_factory=dict)
    _l1_norms: Known[float] = field(default_factory=dict)
    _l1_scales: Known[float] = field(default_factory=dict)
    _cosines: Known[float] = field(default_factory=dict)

    def threshold(self, vector: TaskVector, k: int) -> Threshold:
        """What the k largest magnitudes reach."""
        base, operand = records([vector.base]), records([vector.operand])

        def find() -> Threshold:
            coarse = _recall(self._coarse, vector.subject, None, lambda: coarse_counts(vector.size, base, operand))
            return threshold(vector.size, base, operand, k, coarse)

        return _recall(self._thresholds, vector.subject, k, find)

    def is_zero(self, vector: TaskVector) -> bool:
        """Whether the task vector is zero throughout: a tensor that a fine-tune left alone."""
        return self._l1_norm(vector) == 0

    def l1_scale(self, vector: TaskVector, fields: Mapping[str, Any]) -> float:
        """What gives the task vector, thinned by these fields, the L1 norm it had; 1 when either norm is too small."""

        def find() -> float:
            before, after = self._l1_norm(vector), _l1_norm(vector.with_fields(**fields))
            return 1.0 if min(before, after) < _SMALLEST_L1 else before / after

        return _recall(self._l1_scales, vector.subject, tuple(fields.values()), find)

    def cosine(self, subject: tuple[str, ...], find: Callable[[], float]) -> float:
        """The cosine between two tensors, which `subject` distinguishes from all others of a run; found when it isn't known."""
        return _recall(self._cosines, subject, None, find)

    def _l1_norm(self, vector: TaskVector) -> float:
        return _recall(self._l1_norms, vector.subject, None, lambda: _l1_norm(vector))


def _l1_norm(vector: TaskVector) -> float:
    blocks = for_blocks(norm_blocks, vector.size, records([vector.base]), records([vector.operand]))
    return float(np.concatenate(blocks).sum())


def _recall(known: Known[Value], subject: Hashable, detail: Hashable, compute: Callable[[], Value]) -> Value:
    values = known.setdefault(subject, {})
    if detail not in values:
        if len(values) == _RECENT:
            del values[next(iter(values))]
        values[detail] = compute()
    return values[detail]
