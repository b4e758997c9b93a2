"""Features of pictures as tokens beyond the vocabulary.

So prompts share a beginning only as far as they show the same picture in the same place.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class PictureTokens:
    """`image_token` is the id in whose place features stand, `first` the id that the first feature gets, one beyond the
    vocabulary. `spans` are each picture's [start, end) among all features; its own are `features` [tokens, width], in the same
    order, which stay on the CPU, or in files that are read as they are needed."""

    image_token: int
    first: int
    spans: Mapping[str, tuple[int, int]]
    features: tuple[Tensor, ...]

    def placed(self, prompt: Sequence[int], pictures: Sequence[str]) -> list[int]:
        """The prompt with its image tokens replaced by the pictures' features, one after another.

        ValueError for a picture that isn't there, and where there are more or fewer image tokens than features.
        """
        unseen = next((picture for picture in pictures if picture not in self.spans), None)
        if unseen is not None:
            raise ValueError(f"the picture {unseen[:12]} hasn't been seen")
        shown = [self.first + row for picture in pictures for row in range(*self.spans[picture])]
        places = [place for place, token in enumerate(prompt) if token == self.image_token]
        if len(places) != len(shown):
            raise ValueError(f"the prompt has {len(places)} image tokens, its pictures {len(shown)} features")
        made = list(prompt)
        for place, token in zip(places, shown, strict=True):
            made[place] = token
        return made

    def embedded(self, embedding: Any, tokens: Tensor) -> Tensor:
        """Embeddings [rows, tokens, width] of tokens and features; features go past the embedding's own scaling."""
        seen = tokens >= self.first
        made: Tensor = embedding(tokens.masked_fill(seen, self.image_token))
        rows = (tokens[seen] - self.first).tolist()
        if rows:
            made[seen] = torch.cat(self._read(rows)).to(made.device, made.dtype)
        return made

    def _read(self, rows: Sequence[int]) -> list[Tensor]:
        """The features of these rows, in their order, neighbours of one picture at once."""
        starts = [start for start, _ in self.spans.values()]
        read: list[Tensor] = []
        at = 0
        while at < len(rows):
            picture = bisect_right(starts, rows[at]) - 1
            start, own = rows[at] - starts[picture], self.features[picture]
            count = 1
            while at + count < len(rows) and start + count < len(own) and rows[at + count] == rows[at] + count:
                count += 1
            read.append(own[start : start + count])
            at += count
        return read


def picture_tokens(features: Mapping[str, Tensor], image_token: int, first: int) -> PictureTokens:
    """The features [tokens, width] of pictures by their hash, as tokens from `first` on."""
    spans, start = {}, 0
    for picture, own in features.items():
        spans[picture] = (start, start + len(own))
        start += len(own)
    return PictureTokens(image_token, first, spans, tuple(features.values()))
