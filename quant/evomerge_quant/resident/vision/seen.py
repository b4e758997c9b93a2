"""What a model makes of a picture."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Seen:
    """A picture's features [tokens, width], and the text that stands for it in a prompt, with as many of the image tokens.

    `places` [3, tokens], int64, are the features' positions from the picture's first on, in time, height and width, where a
    family's positions have three parts; `deep` [layers, tokens, width] what a family adds to the output of its first layers.
    """

    features: Tensor
    text: str
    places: Tensor | None = None
    deep: Tensor | None = None
