"""Attention masks from positions, for rows of any length with padding and branches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from evomerge_core.errors import InputError

# The position of a column that holds padding.
PADDING = -1

# Layer type -> how many positions back it looks (None: all).
Windows = Mapping[str, int | None]


def windows(config: Any) -> Windows:
    """The attention windows of a decoder's layer types. InputError for layers that are not attention over a window."""
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or ["sliding_attention" if window else "full_attention"]
    known = {"full_attention": None, "sliding_attention": window}
    if other := sorted(set(kinds) - set(known)):
        raise InputError(f"config.json: layer_types: {other[0]} layers can't be scored here; choose a plain transformer")
    return {kind: known[kind] for kind in sorted(set(kinds))}


def masks(
    layer_windows: Windows,
    dtype: torch.dtype,
    keys: tuple[Tensor, Tensor],
    queries: tuple[Tensor, Tensor],
    pictures: tuple[Tensor, Tensor] | None = None,
) -> Tensor | dict[str, Tensor]:
    """Additive masks [rows, 1, queries, keys] in `dtype`: one, or one a layer type where a model has several.

    `keys` and `queries` are (position, branch) of each token, int64 [rows, tokens]. A token sees those of its own branch
    and of branch 0, the trunk, up to its own position; `PADDING` is seen by none. Where `pictures` say of keys and queries
    which picture each shows (0 for none), a picture's tokens also see each other.
    """
    made = {kind: _mask(dtype, keys, queries, pictures, window) for kind, window in layer_windows.items()}
    return made if len(made) > 1 else next(iter(made.values()))


def _mask(
    dtype: torch.dtype,
    keys: tuple[Tensor, Tensor],
    queries: tuple[Tensor, Tensor],
    pictures: tuple[Tensor, Tensor] | None,
    window: int | None,
) -> Tensor:
    position, branch = (x[:, None, None, :] for x in keys)
    own_position, own_branch = (x[:, None, :, None] for x in queries)
    seen = (position != PADDING) & (position <= own_position) & ((branch == 0) | (branch == own_branch))
    if pictures is not None:
        shown, own_shown = pictures[0][:, None, None, :], pictures[1][:, None, :, None]
        seen |= (shown == own_shown) & (own_shown != 0)
    if window is not None:
        seen &= position > own_position - window
    # The least number rather than -inf: a padding query that sees nothing must not become NaN.
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)
