"""The field is the documented integer recipe, whatever the chunks; the oracle is numpy's own uint32 arithmetic."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pytest
import torch

from evomerge_core.methods.parts import random_field
from evomerge_core.methods.parts.random_field import field_key, uniform_field

KEYS = [0, 1, 0xFFFFFFFF, 0x80000000, 0x0123456789ABCDEF, 2**64 - 1]


def fmix32(bits: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    bits = (bits ^ (bits >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return bits ^ (bits >> np.uint32(16))


def expected_field(key: int, numel: int, offset: int = 0) -> npt.NDArray[np.float32]:
    index = (np.arange(numel, dtype=np.uint64) + np.uint64(offset)).astype(np.uint32)
    bits = fmix32(index * np.uint32(0x9E3779B1) + np.uint32(key & 0xFFFFFFFF))
    bits = fmix32(bits ^ np.uint32(key >> 32))
    return (bits >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


@pytest.mark.parametrize("key", KEYS)
def test_field_equals_the_recipe_in_numpy(key: int) -> None:
    np.testing.assert_array_equal(uniform_field(key, (10007,)).numpy(), expected_field(key, 10007))


@pytest.mark.parametrize("offset", [1, 2**31 - 50, 2**31 + 7, 2**32 - 200])
def test_offset_starts_in_the_middle_of_the_same_field(offset: int) -> None:
    np.testing.assert_array_equal(uniform_field(99, (200,), offset).numpy(), expected_field(99, 200, offset))


def test_chunks_dont_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_field, "_CHUNK", 64)
    np.testing.assert_array_equal(uniform_field(5, (7, 50)).numpy().ravel(), expected_field(5, 350))


def test_field_is_float32_of_the_shape_asked_for() -> None:
    field = uniform_field(5, (3, 4, 5))
    assert field.dtype == torch.float32
    assert field.shape == (3, 4, 5)
    assert uniform_field(5, (0,)).numel() == 0


def test_field_is_uniform_and_fields_of_two_sources_are_independent() -> None:
    first, second = (uniform_field(field_key(0, "w", source), (1 << 18,)).double() for source in ("a", "b"))
    for field in (first, second):
        counts = torch.histc(field, bins=64, min=0, max=1)
        # Chi-square with 63 degrees of freedom: mean 63, deviation 11.2.
        assert float(((counts - 4096) ** 2 / 4096).sum()) < 63 + 6 * 11.2
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 6 / 512
    assert abs(float(torch.corrcoef(torch.stack([first[:-1], first[1:]]))[0, 1])) < 6 / 512


def test_key_is_the_first_eight_bytes_of_the_named_digest() -> None:
    digest = hashlib.sha256(b"7|model.layers.0.mlp.up_proj.weight|me/model+adapter").hexdigest()
    expected = sum(int(digest[2 * i : 2 * i + 2], 16) << (8 * i) for i in range(8))
    assert field_key(7, "model.layers.0.mlp.up_proj.weight", "me/model+adapter") == expected


def test_key_depends_on_seed_tensor_and_source() -> None:
    keys = {field_key(seed, tensor, source) for seed in (0, 1) for tensor in ("a", "b") for source in ("a", "b")}
    assert len(keys) == 8
