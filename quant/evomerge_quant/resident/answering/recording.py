"""Whether the steps of a model can be recorded as CUDA graphs."""

from __future__ import annotations

import torch


class Recording:
    """Whether a model's steps can be recorded on its device. `refusal` is why the first that was tried couldn't be, "" before
    that; none is tried after it."""

    def __init__(self, device: torch.device) -> None:
        self.refusal = ""
        self._on_card = device.type == "cuda" and torch.version.cuda is not None

    @property
    def possible(self) -> bool:
        """Whether the next step may be tried."""
        return self._on_card and not self.refusal
