"""One fixed merge in full: what mergekit's `mergekit_config.yml` holds, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Scalar = float | int | bool | str
DType = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Setting:
    """A parameter's value for the tensors whose name contains `filter` (None: all).

    `values` is a gradient over the layers: one number is constant, more are interpolated at t = layer / (layers - 1);
    tensors outside the layers take t = 0. A flag or a word has one value.
    """

    values: tuple[Scalar, ...]
    filter: str | None = None


# Settings are tried in order; the first whose filter matches counts.
Parameters = Mapping[str, tuple[Setting, ...]]


@dataclass(frozen=True)
class SliceSource:
    """A source in a slice: its reference as the user wrote it, its layers [start, end) or all, its own parameters."""

    model: str
    layers: tuple[int, int] | None = None
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True)
class Slice:
    """Consecutive layers of the child, all made from the same layers of the sources."""

    sources: tuple[SliceSource, ...]
    parameters: Parameters = field(default_factory=dict)
    method: str | None = None
    base: str | None = None


@dataclass(frozen=True)
class TokenRow:
    """Where a token's row comes from: `model`, None for zeros; there from another `token`, by text or row, if that is given.

    `forced`: all models take it, not only those that lack the token.
    """

    model: str | None
    token: str | int | None = None
    forced: bool = False


@dataclass(frozen=True)
class MergeConfig:
    """A fixed merge. `seed` names the random masks of dare and della; other methods ignore it.

    The result is rounded to `dtype` and kept as `out_dtype` (`MergeEngine`). `tokenizer` is `base` or a model's reference; a
    file may say `union` too (`fixed_merge/child_tokenizer.py`). `tokenizer_named`: whether `base` was written, not left out;
    models may then end texts with other tokens. `tokens` are those whose rows the file names. With `pad_to_multiple_of` the
    number of rows is a multiple of it; rows without a token are then the mean of a model's others.
    """

    method: str
    slices: tuple[Slice, ...]
    base: str | None = None
    parameters: Parameters = field(default_factory=dict)
    dtype: DType = "float32"
    out_dtype: DType = "bfloat16"
    tokenizer: str = "base"
    chat_template: str | None = None
    seed: int = 0
    tokens: Mapping[str, TokenRow] = field(default_factory=dict)
    pad_to_multiple_of: int | None = None
    tokenizer_named: bool = field(default=False, compare=False)


def whole_model(reference: str, tokenizer: str) -> MergeConfig:
    """One model as it is, in the vocabulary of the model that `tokenizer` names."""
    giver = "base" if reference == tokenizer else tokenizer
    return MergeConfig("passthrough", (Slice((SliceSource(reference),)),), tokenizer=giver)
