"""How far an export is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ExportStep:
    """What is being done, such as `merge`, `convert` or `quantize F16`, and how much of it is done, 0 to 1, if known."""

    what: str
    share: float | None = None


OnStep = Callable[[ExportStep], None]
