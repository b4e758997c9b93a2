from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from evomerge_core.errors import InputError
from evomerge_core.sources.checks.finite import check_finite, require_finite
from evomerge_core.sources.source import open_source
from support.source_models import write_model

NAME = "model.layers.1.mlp.up_proj.weight"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_one_bad_weight_is_found_and_named(tmp_path: Path, dtype: torch.dtype, value: float) -> None:
    folder = write_model(tmp_path / "m", dtype=dtype)
    tensors = load_file(folder / "model.safetensors")
    tensors[NAME][-1, -1] = value
    save_file(tensors, folder / "model.safetensors")
    source = open_source("m", relative_to=tmp_path)
    lines = [str(error) for error in check_finite(source)]
    assert len(lines) == 1
    assert str(folder / "model.safetensors") in lines[0]
    assert NAME in lines[0]
    with pytest.raises(InputError, match="NaN or Inf"):
        require_finite(source)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_largest_and_smallest_finite_numbers_pass(tmp_path: Path, dtype: torch.dtype) -> None:
    folder = write_model(tmp_path / "m", dtype=dtype)
    limits = torch.finfo(dtype)
    tensors = load_file(folder / "model.safetensors")
    tensors[NAME] = torch.tensor([limits.max, limits.min, limits.tiny, -0.0], dtype=dtype).repeat(96, 16).contiguous()
    save_file(tensors, folder / "model.safetensors")
    assert check_finite(open_source("m", relative_to=tmp_path)) == []


def test_a_changed_file_is_scanned_again(copy_of: Callable[[str], Path], tmp_path: Path) -> None:
    folder = copy_of("m")
    assert check_finite(open_source("m", relative_to=tmp_path)) == []
    tensors = load_file(folder / "model.safetensors")
    tensors[NAME][0, 0] = float("nan")
    save_file(tensors, folder / "model.safetensors")
    assert len(check_finite(open_source("m", relative_to=tmp_path))) == 1
