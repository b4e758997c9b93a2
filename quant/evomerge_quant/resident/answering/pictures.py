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

from evomerge_quant.resident.vision.seen import Seen


@dataclass(frozen=True)
class PictureTokens:
    """`image_token` is the id in whose place features stand, `first` the id that the first feature gets, one beyond the
    vocabulary. `spans` are each picture's [start, end) among all features; its own are `features` [tokens, width], in the same
    order, which stay on the CPU, or in files that are read as they are needed; `places` and `deep` as in `Seen`.
    `two_ways`: a picture's tokens see each other in both directions.
    """

    image_token: int
    first: int
    spans: Mapping[str, tuple[int, int]]
    features: tuple[Tensor, ...]
    places: tuple[Tensor | None, ...]
    deep: tuple[Tensor | None, ...]
    two_ways: bool = False

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

    def turns(self, tokens: Sequence[int]) -> Tensor | None:
        """Positions of three parts [3, tokens] of tokens from a prompt's first on: a picture takes as many as its longer side,
        and text goes on after it. None where positions have one part.
        """
        if not any(places is not None for places in self.places):
            return None
        starts = [start for start, _ in self.spans.values()]
        pieces: list[Tensor] = []
        position = at = 0
        while at < len(tokens):
            if tokens[at] < self.first:
                piece = torch.full((3, 1), position)
            else:
                picture = bisect_right(starts, tokens[at] - self.first) - 1
                own = self.places[picture]
                assert own is not None  # of one family's pictures, all or none have them
                skipped = tokens[at] - self.first - starts[picture]
                piece = own[:, skipped : skipped + len(tokens) - at] + position
            pieces.append(piece)
            at += piece.shape[1]
            position = int(piece.max()) + 1
        return torch.cat(pieces, dim=1) if pieces else torch.zeros(3, 0, dtype=torch.int64)

    def shown(self, tokens: Sequence[int]) -> list[int] | None:
        """Which picture each token of a prompt shows, counted from 1, 0 for none; None where that makes no difference."""
        if not self.two_ways:
            return None
        starts = {self.first + start for start, _ in self.spans.values()}
        found, count = [], 0
        for token in tokens:
            count += token in starts
            found.append(count if token >= self.first else 0)
        return found

    def whole(self, shared: list[int], prompt: Sequence[int]) -> list[int]:
        """The beginning that prompts share, without a picture that it would end in the middle of."""
        shown = self.shown(prompt)
        if shown is None or len(shared) == len(prompt):
            return shared
        cut = len(shared)
        while cut and shown[cut - 1] and shown[cut - 1] == shown[len(shared)]:
            cut -= 1
        return shared[:cut]

    def embedded(self, embedding: Any, tokens: Tensor) -> Tensor:
        """Embeddings [rows, tokens, width] of tokens and features; features go past the embedding's own scaling."""
        seen = tokens >= self.first
        made: Tensor = embedding(tokens.masked_fill(seen, self.image_token))
        runs = self._runs((tokens[seen] - self.first).tolist())
        if runs:
            read = [self.features[picture][start:end] for picture, start, end in runs]
            made[seen] = torch.cat(read).to(made.device, made.dtype)
        return made

    def added(self, tokens: Tensor) -> dict[str, Any]:
        """What a decoder is given besides embeddings, by transformers' names: features that are added behind its first layers,
        and where; nothing where a family has none or no token shows a picture.
        """
        seen = tokens >= self.first
        runs = self._runs((tokens[seen] - self.first).tolist())
        deep = [own[:, start:end] for picture, start, end in runs if (own := self.deep[picture]) is not None]
        if not deep:
            return {}
        return {"visual_pos_masks": seen, "deepstack_visual_embeds": list(torch.cat(deep, dim=1))}

    def _runs(self, rows: Sequence[int]) -> list[tuple[int, int, int]]:
        """(picture, start, end) of features, in the order of these rows, neighbours of one picture at once."""
        starts = [start for start, _ in self.spans.values()]
        runs: list[tuple[int, int, int]] = []
        at = 0
        while at < len(rows):
            picture = bisect_right(starts, rows[at]) - 1
            start, length = rows[at] - starts[picture], len(self.features[picture])
            count = 1
            while at + count < len(rows) and start + count < length and rows[at + count] == rows[at] + count:
                count += 1
            runs.append((picture, start, start + count))
            at += count
        return runs


def picture_tokens(seen: Mapping[str, Seen], image_token: int, first: int, *, two_ways: bool = False) -> PictureTokens:
    """What a model's eyes make of pictures, by their hash, as tokens from `first` on."""
    spans, start = {}, 0
    for picture, own in seen.items():
        spans[picture] = (start, start + len(own.features))
        start += len(own.features)
    return PictureTokens(
        image_token,
        first,
        spans,
        features=tuple(own.features for own in seen.values()),
        places=tuple(own.places for own in seen.values()),
        deep=tuple(own.deep for own in seen.values()),
        two_ways=two_ways,
    )
