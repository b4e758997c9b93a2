"""What pictures take on the disk is what their features take there."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from evomerge_core.files.picture import Picture
from evomerge_core.recipe.load import load_recipe
from evomerge_core.sources.source import open_source
from evomerge_quant.planning.estimate import RunEstimate
from evomerge_quant.planning.machine.capacity import Capacity
from evomerge_quant.planning.memory import MemoryParts
from evomerge_quant.planning.pictures import with_pictures
from evomerge_quant.resident.vision.eyes import open_eyes
from evomerge_quant.resident.vision.kept_features import see_all
from support.seeing_runs import write_seeing_recipe

LAPTOP = Capacity("cpu", "a laptop", 4, 16 * 10**9, 10 * 10**9)


@pytest.mark.parametrize("family", ["llava", "qwen3-vl"])
def test_the_plan_counts_the_bytes_of_what_is_kept(family: str, tmp_path: Path) -> None:
    path = write_seeing_recipe(tmp_path, family)
    base = open_source(str(tmp_path / "base"), relative_to=Path())
    nothing: dict[str, Any] = {field.name: 0 for field in dataclasses.fields(RunEstimate)} | {"memory": MemoryParts(0, 0, 0, 0)}
    before = RunEstimate(**{**nothing, "precision": SimpleNamespace(precision="fp32")})
    seen = see_all(
        [Picture(Image.new("RGB", (32, 24)), "one")],
        tmp_path / "kept",
        lambda: open_eyes(tmp_path / "base", torch.float32, torch.device("cpu")),
    )
    planned = with_pictures(before, load_recipe(path), base, LAPTOP, len(seen["one"].features)).written
    kept = load_file(tmp_path / "kept" / "one.safetensors")
    # where features stand is a few whole numbers each
    assert planned == sum(tensor.nbytes for name, tensor in kept.items() if name != "places")
