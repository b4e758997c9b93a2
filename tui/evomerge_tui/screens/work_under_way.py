"""Work that a screen does and that ends with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UnderWay:
    """`what` is done, such as `The export of my-cross`, since `began` (seconds of the monotonic clock); `kept` says what of it
    stays when it ends."""

    what: str
    began: float
    kept: str = "What it has done so far will be lost."
