"""How far an export is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ExportStep:
    """One moment: what is being done (`merge`, `check`, `convert`, `quantize F16`), and how far it is, 0 to 1, if known."""

    what: str
    share: float | None = None


OnStep = Callable[[ExportStep], None]
