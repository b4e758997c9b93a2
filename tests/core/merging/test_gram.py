"""The sources' dot products, against numpy on the tensors as safetensors reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evomerge_core.merging.config import MergeConfig, Setting, Slice, SliceSource
from evomerge_core.merging.gram import gram_by_group
from evomerge_core.merging.plan.plan import make_plan
from evomerge_core.sources.source import open_sources
from support.tiny_run import save_model

NAMES = ("base", "first", "second")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    base = save_model(place / "base", 0)
    for seed, name in enumerate(NAMES[1:], 1):
        save_model(place / name, seed, base)
    return place


def _float64(folder: Path) -> dict[str, np.ndarray]:
    # bf16 is what numpy lacks
    import torch
    from safetensors.torch import load_file as load_torch

    return {name: tensor.to(torch.float64).numpy() for name, tensor in load_torch(folder / "model.safetensors").items()}


@pytest.mark.parametrize("method", ["task_arithmetic", "linear"])
def test_dot_products_are_those_of_task_vectors_or_of_whole_models(models: Path, method: str) -> None:
    has_base = method == "task_arithmetic"
    merged = NAMES[1:] if has_base else NAMES
    sources = open_sources([str(models / name) for name in NAMES], relative_to=models)
    weight = {"weight": (Setting((1.0,)),)}
    parts = tuple(SliceSource(str(models / name), None, weight) for name in merged)
    config = MergeConfig(method, (Slice(parts),), str(models / "base") if has_base else None, tokenizer=str(models / "base"))
    found = gram_by_group(make_plan(config, sources), sources, lambda name: int("layers.1." in name), 2)

    weights = {name: _float64(models / name) for name in NAMES}
    expected = np.zeros((2, len(merged), len(merged)))
    for tensor in weights["base"]:
        less = weights["base"][tensor] if has_base else 0.0
        vectors = np.array([(weights[name][tensor] - less).ravel() for name in merged])
        expected[int("layers.1." in tensor)] += vectors @ vectors.T
    np.testing.assert_allclose(found, expected, rtol=1e-12)
