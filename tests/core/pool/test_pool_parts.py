"""The parts of a pool: what entries name, how alike members are, what sets promise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from evomerge_core.errors import InputError
from evomerge_core.pool.expand import distinct_names, expand
from evomerge_core.pool.geometry import cosines, gram_of
from evomerge_core.pool.likeness import compare
from evomerge_core.pool.promise import ScoredAlone
from evomerge_core.sources.source import open_sources
from support.tiny_run import save_model

TARGETS = ("self_attn.q_proj", "mlp.down_proj")


def save_adapter(folder: Path, seed: int, scale: float = 1.0) -> Path:
    """A LoRA adapter of rank 3 for two modules of each layer of `save_model`'s model."""
    shapes = {"self_attn.q_proj": (64, 64), "mlp.down_proj": (64, 128)}
    generator, weights = torch.Generator().manual_seed(seed), {}
    for layer in range(2):
        for module in TARGETS:
            out, into = shapes[module]
            stem = f"base_model.model.model.layers.{layer}.{module}"
            weights[f"{stem}.lora_A.weight"] = torch.randn(3, into, generator=generator)
            weights[f"{stem}.lora_B.weight"] = scale * torch.randn(out, 3, generator=generator)
    folder.mkdir(parents=True)
    save_file(weights, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 3, "lora_alpha": 6, "target_modules": [t.split(".")[1] for t in TARGETS]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def task_vector(adapter: Path) -> np.ndarray:
    """An adapter's task vector, multiplied out in numpy: alpha / r times B A, module by module."""
    weights = {name: tensor.double().numpy() for name, tensor in load_file(adapter / "adapter_model.safetensors").items()}
    stems = sorted({name.rpartition(".lora_")[0] for name in weights})
    return np.concatenate([(2 * weights[f"{s}.lora_B.weight"] @ weights[f"{s}.lora_A.weight"]).ravel() for s in stems])


@pytest.fixture
def base(tmp_path: Path) -> Path:
    save_model(tmp_path / "base", 0)
    return tmp_path / "base"


def test_dot_products_of_adapters_are_those_of_their_products(base: Path, tmp_path: Path) -> None:
    adapters = [save_adapter(tmp_path / "one", 1), save_adapter(tmp_path / "two", 2), save_adapter(tmp_path / "weak", 1, 0.25)]
    references = [f"{base}+{adapter}" for adapter in adapters]
    opened = open_sources([str(base), *references], relative_to=tmp_path)
    vectors = np.stack([task_vector(adapter) for adapter in adapters])
    found = gram_of(opened[str(base)], [opened[reference] for reference in references])
    np.testing.assert_allclose(found, vectors @ vectors.T, rtol=1e-6)
    assert cosines(found)[0, 2] == pytest.approx(1.0)


def test_dot_products_of_whole_models_are_those_of_their_differences_in_whatever_pieces(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = load_file(base / "model.safetensors")
    differences = []
    for seed in (1, 2):
        save_model(tmp_path / str(seed), seed)
        own = load_file(tmp_path / str(seed) / "model.safetensors")
        differences.append(np.concatenate([(own[n].double() - start[n].double()).numpy().ravel() for n in sorted(start)]))
    adapter = save_adapter(tmp_path / "adapter", 3)
    references = [str(tmp_path / "1"), str(tmp_path / "2"), f"{base}+{adapter}"]
    opened = open_sources([str(base), *references], relative_to=tmp_path)
    monkeypatch.setattr("evomerge_core.pool.geometry._AT_ONCE", 3 * 64 * 5)
    found = gram_of(opened[str(base)], [opened[reference] for reference in references])
    expected = np.stack(differences) @ np.stack(differences).T
    np.testing.assert_allclose(found[:2, :2], expected, rtol=1e-6)
    assert found[2, 2] == pytest.approx(float(np.square(task_vector(adapter)).sum()))


def test_copies_and_near_copies_and_opposites_are_told_apart() -> None:
    vectors = np.array([[1.0, 0, 0], [0, 2, 0], [1, 0, 0], [0.5, 0.01, 0], [-3, 0.1, 0], [0, 0, 0], [0, 1, 1]])
    found = compare(vectors @ vectors.T)
    assert found.copies == {2: 0}
    assert found.like == (0, 1, 0, 0, 4, 5, 6)
    assert found.unchanged == {5}
    assert found.opposite(0, 4)
    assert not found.opposite(0, 1)


def test_a_set_promises_the_skills_that_its_members_have_between_them() -> None:
    right = np.array([[1.0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]])
    language = np.array([[0.0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]])
    alone = ScoredAlone(right, language, np.full((3, 4), np.nan), np.full(4, 0.25))
    assert [alone.promise([one]) for one in range(3)] == [0.0, 0.0, 0.0]
    assert alone.promise([0, 1]) == 0.5
    assert alone.promise([0, 2]) == 0.0
    assert alone.promise([0, 1, 2]) == 0.75


def test_what_is_promised_depends_on_no_order_of_items() -> None:
    draw = np.random.default_rng(0)
    weights = draw.random(33)
    right, nothing = draw.random((1, 33)), np.full((1, 33), np.nan)
    promised = set()
    for _ in range(50):
        order = draw.permutation(33)
        alone = ScoredAlone(right[:, order], np.ones((1, 33)), nothing, weights[order])
        promised.add(alone.promise([0]))
    assert len(promised) == 1


def test_of_sets_that_promise_the_same_the_likelier_correct_answers_count() -> None:
    nothing = np.zeros((3, 2))
    loss = np.array([[2.0, 4.0], [3.0, 1.0], [5.0, 5.0]])
    alone = ScoredAlone(nothing, nothing, loss, np.full(2, 0.5))
    assert alone.promise([0, 1]) > alone.promise([0, 2])
    assert alone.promise([0, 1]) > alone.promise([1, 2])


def test_folders_patterns_and_hub_ids_become_single_models(base: Path, tmp_path: Path) -> None:
    for name in ("b", "a"):
        save_adapter(tmp_path / "adapters" / name, 1)
    save_model(tmp_path / "models" / "owner" / "tuned", 1)
    entries = ["./adapters/*", "./models", "owner/name@main", "./base+./adapters/a", "./adapters/b"]
    found = expand(entries, base=str(base), folder=tmp_path)
    assert found == (
        f"{base}+{tmp_path}/adapters/a",
        f"{base}+{tmp_path}/adapters/b",
        f"{tmp_path}/models/owner/tuned",
        "owner/name@main",
    )
    assert distinct_names(found) == ("a", "b", "tuned", "name@main")


def test_models_of_one_name_are_called_by_the_folder_above_too() -> None:
    assert distinct_names(["/x/run-1/best", "/x/run-2/best", "/x/other"]) == ("run-1/best", "run-2/best", "other")
    assert distinct_names(["/x/a/best", "/y/a/best"]) == ("a/best", "a/best 2")


@pytest.mark.parametrize("entry", ["./nothing*", "./empty", "./../outside"])
def test_an_entry_that_names_nothing_is_refused(base: Path, tmp_path: Path, entry: str) -> None:
    (tmp_path / "inside" / "empty").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    with pytest.raises(InputError):
        expand([entry], base=str(base), folder=tmp_path / "inside")
