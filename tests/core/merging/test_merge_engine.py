"""The engine against the methods' own functions, peft and transformers; the same bytes whatever the threads."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForCausalLM

from evomerge_core.errors import InputError
from evomerge_core.merging.config import MergeConfig
from evomerge_core.merging.engine import MergeEngine
from evomerge_core.merging.plan.plan import make_plan
from evomerge_core.methods.parts.random_field import field_key
from evomerge_core.methods.registry import get_method
from evomerge_core.sources.source import Source, open_sources
from support.merging_models import merge_of, write_base, write_fine_tune

Sources = Mapping[str, Source]
TWO = {"first": {"weight": 0.7}, "second": {"weight": 0.9}}
THREE = {**TWO, "third": {"weight": -0.4}}


def dense(models: Mapping[str, Mapping[str, float]], **numbers: float) -> dict[str, dict[str, Any]]:
    return {model: {**own, **numbers} for model, own in models.items()}


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def tensors(config: MergeConfig, sources: Sources, **settings: Any) -> dict[str, Tensor]:
    engine = MergeEngine(sources, seed=config.seed, **settings)
    return dict(engine.stream(make_plan(config, sources)))


def by_methods(config: MergeConfig, sources: Sources, keys: Mapping[str, str] | None = None) -> dict[str, Tensor]:
    """Whole tensors in float32 through the method's function; `keys` are the sources' names in their random fields."""
    method = get_method(config.method)
    made = {}
    for merge in make_plan(config, sources):
        inputs = [sources[taken.model].read(taken.name).float() for taken in merge.inputs]
        base = sources[merge.base.model].read(merge.base.name).float() if merge.base else None
        per_source = {key: [taken.parameters[key] for taken in merge.inputs] for key in merge.inputs[0].parameters}
        named = [field_key(config.seed, merge.name, keys[taken.model]) for taken in merge.inputs] if keys else []
        made[merge.name] = method.call(inputs, base, per_source, merge.parameters, named)
    return made


def assert_one_rounding_apart(got: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    assert got.keys() == expected.keys()
    for name, tensor in expected.items():
        rounded = tensor.bfloat16()
        steps = (torch.nextafter(rounded.abs(), torch.tensor(torch.inf, dtype=torch.bfloat16)) - rounded.abs()).float()
        assert got[name].dtype == torch.bfloat16
        assert ((got[name].float() - rounded.float()).abs() <= steps).all(), name
        # A kernel that did something else altogether would be near, but seldom equal.
        assert (got[name] == rounded).float().mean() > 0.99, name


DETERMINISTIC = [
    merge_of("linear", {"base": {"weight": 0.2}, **TWO}),
    merge_of("linear", TWO, normalize=False),
    merge_of("task_arithmetic", THREE, "base", lambda_=0.8),
    merge_of("task_arithmetic", TWO, "base", normalize=True),
    merge_of("task_arithmetic", {"first": {"weight": 0.5}, "second": {"weight": -0.5}}, "base", normalize=True),
    merge_of("ties", dense(THREE, density=0.3), "base"),
    merge_of("ties", dense(TWO, density=0.05), "base", normalize=False, rescale=True, lambda_=1.3),
    merge_of("ties", dense(TWO, density=0.0), "base"),
    merge_of("breadcrumbs", dense(TWO, density=0.6, gamma=0.1), "base"),
    merge_of("breadcrumbs", dense(TWO, density=0.95, gamma=0.1), "base", rescale=True, normalize=True),
    merge_of("breadcrumbs_ties", dense(THREE, density=0.5), "base"),
    merge_of("slerp", {"first": {}}, "base", t=0.4),
]


@pytest.mark.parametrize("config", DETERMINISTIC, ids=lambda config: config.method)
def test_loops_give_what_the_methods_functions_give(sources: Sources, config: MergeConfig) -> None:
    assert_one_rounding_apart(tensors(config, sources), by_methods(config, sources))


def test_memory_that_is_used_again_changes_nothing(sources: Sources) -> None:
    for config in DETERMINISTIC:
        plan = make_plan(config, sources)
        reused = {name: tensor.clone() for name, tensor in MergeEngine(sources, reuses_memory=True).stream(plan)}
        own = dict(MergeEngine(sources).stream(plan))
        assert reused.keys() == own.keys()
        assert all(torch.equal(tensor, own[name]) for name, tensor in reused.items())


@pytest.mark.parametrize("method", ["karcher", "model_stock", "passthrough"])
def test_methods_without_loops_go_through_their_functions(sources: Sources, method: str) -> None:
    config = {
        "karcher": merge_of("karcher", {"first": {}, "second": {}}),
        "model_stock": merge_of("model_stock", {"first": {}, "second": {}}, "base"),
        "passthrough": merge_of("passthrough", {"first": {"scale": 0.5}}),
    }[method]
    got, expected = tensors(config, sources), by_methods(config, sources)
    assert all(torch.equal(got[name], tensor.bfloat16()) for name, tensor in expected.items())


@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("method", ["dare_linear", "dare_ties"])
def test_random_methods_draw_the_fields_that_the_methods_draw(
    sources: Sources, monkeypatch: pytest.MonkeyPatch, method: str, rescale: bool
) -> None:
    names = {"first": "one", "second": "two"}
    monkeypatch.setattr(MergeEngine, "_identity", lambda _self, model: names[model])
    config = merge_of(method, dense(TWO, density=0.4), "base", seed=7, rescale=rescale)
    assert_one_rounding_apart(tensors(config, sources), by_methods(config, sources, names))


def test_random_masks_follow_the_seed_and_the_weights_but_not_the_folder(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "first", tmp_path / "moved")
    made = []
    for reference, seed in (("first", 3), (str(tmp_path / "moved"), 3), ("first", 4), ("second", 3)):
        sources = open_sources(["base", reference], relative_to=models)
        config = merge_of("dare_linear", {reference: {"weight": 1.0, "density": 0.5}}, "base", seed=seed)
        merged = tensors(config, sources)["model.embed_tokens.weight"]
        base = sources["base"].read("model.embed_tokens.weight")
        made.append((merged, merged != base))
    (one, kept), (moved, _), (_, reseeded), (_, other) = made
    assert torch.equal(one, moved)
    for mask in (reseeded, other):
        assert (kept & mask).float().mean() == pytest.approx(0.25, abs=0.05)


def test_an_adapter_at_weight_one_is_pefts_merged_model(sources: Sources, models: Path) -> None:
    config = merge_of("task_arithmetic", {"base+lora": {"weight": 1.0}}, "base")
    plain = AutoModelForCausalLM.from_pretrained(models / "base", dtype=torch.float32)
    merged = PeftModel.from_pretrained(plain, str(models / "lora")).merge_and_unload().state_dict()
    expected = {name: merged[name] for name in sources["base"].names}
    assert_one_rounding_apart(tensors(config, sources), expected)


@pytest.mark.parametrize("method", ["task_arithmetic", "ties", "dare_ties", "breadcrumbs"])
def test_an_adapter_merges_like_the_model_that_it_makes(sources: Sources, method: str) -> None:
    own = {"weight": 0.8} if method == "task_arithmetic" else {"weight": 0.8, "density": 0.5}
    config = merge_of(method, {"first": own, "base+lora": own}, "base")
    engine = MergeEngine(sources)
    keys = {model: engine._identity(model) for model in ("first", "base+lora")} if method == "dare_ties" else None
    got, expected = tensors(config, sources), by_methods(config, sources, keys)
    # Thinned by magnitude, a difference in the last bit may swap two entries at the threshold.
    apart = [(got[name] != tensor.bfloat16()).float().mean() for name, tensor in expected.items()]
    assert max(apart) < 0.01


@pytest.mark.parametrize("stored", [torch.float32, torch.float16])
def test_other_stored_dtypes_and_mixtures_of_them(tmp_path: Path, stored: torch.dtype) -> None:
    write_base(tmp_path / "base", stored)
    write_fine_tune(tmp_path / "base", tmp_path / "first", 0, torch.bfloat16)
    write_fine_tune(tmp_path / "base", tmp_path / "second", 1, stored)
    sources = open_sources(["base", "first", "second"], relative_to=tmp_path)
    config = merge_of("ties", dense(TWO, density=0.5), "base")
    assert_one_rounding_apart(tensors(config, sources), by_methods(config, sources))


def test_out_dtypes_are_rounded_once_from_float32(sources: Sources) -> None:
    config = merge_of("task_arithmetic", THREE, "base")
    expected = by_methods(config, sources)
    for out_dtype, tolerance in ((torch.float32, 1e-6), (torch.float16, 1e-3)):
        for name, tensor in tensors(config, sources, out_dtype=out_dtype).items():
            assert tensor.dtype == out_dtype
            torch.testing.assert_close(tensor.float(), expected[name], rtol=tolerance, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_merge_in_few_bits_is_the_nearest_number_to_its_formula(sources: Sources, dtype: torch.dtype) -> None:
    """The oracle is float64, where nothing but the last rounding counts; the weights have too many bits for both dtypes."""
    weights = {"first": {"weight": 0.71293}, "second": {"weight": 0.91377}}
    got = tensors(merge_of("task_arithmetic", weights, "base"), sources, dtype=dtype, out_dtype=dtype)
    nearest = total = 0
    for name, tensor in got.items():
        base, *others = (sources[model].read(name).double() for model in ("base", "first", "second"))
        exact = base + 0.71293 * (others[0] - base) + 0.91377 * (others[1] - base)
        assert tensor.dtype == dtype
        nearest += int((tensor == exact.to(dtype)).sum())
        total += tensor.numel()
    assert nearest / total > 0.999


def test_a_result_is_rounded_to_the_dtype_before_it_is_kept_in_another(sources: Sources) -> None:
    config = merge_of("slerp", {"first": {}}, "base", t=0.3)
    rounded = tensors(config, sources, dtype=torch.bfloat16, out_dtype=torch.bfloat16)
    for name, tensor in tensors(config, sources, dtype=torch.bfloat16, out_dtype=torch.float32).items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, rounded[name].float())


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("method", ["task_arithmetic", "ties", "dare_ties", "breadcrumbs_ties"])
def test_the_same_bytes_on_one_thread_and_on_two(tmp_path: Path, method: str) -> None:
    write_base(tmp_path / "base", vocab_size=2000)
    write_fine_tune(tmp_path / "base", tmp_path / "first", 0)
    sources = open_sources(["base", "first"], relative_to=tmp_path)
    own = {"weight": 0.7} if method == "task_arithmetic" else {"weight": 0.7, "density": 0.37}
    config = merge_of(method, {"first": own}, "base")
    on_two = tensors(config, sources)
    torch.set_num_threads(1)
    on_one = tensors(config, sources)
    assert all(torch.equal(tensor.view(torch.int16), on_one[name].view(torch.int16)) for name, tensor in on_two.items())


def test_a_second_candidate_does_not_depend_on_what_was_merged_before(sources: Sources) -> None:
    engine = MergeEngine(sources)
    configs = [merge_of("dare_ties", dense(TWO, density=0.05 * step), "base") for step in range(1, 12)]
    again = [dict(engine.stream(make_plan(config, sources))) for config in (*configs, configs[0])][-1]
    fresh = tensors(configs[0], sources)
    assert all(torch.equal(tensor, fresh[name]) for name, tensor in again.items())


def test_weight_zero_gives_the_base(sources: Sources) -> None:
    nothing = {"first": {"weight": 0.0, "density": 0.5}, "second": {"weight": 1.0, "density": 0.0}}
    config = merge_of("dare_ties", nothing, "base")
    for name, tensor in tensors(config, sources).items():
        assert torch.equal(tensor, sources["base"].read(name))


def test_means_by_weights_that_sum_to_zero_are_refused(sources: Sources) -> None:
    with pytest.raises(InputError, match="weights sum to 0"):
        tensors(merge_of("linear", {"first": {"weight": 1.0}, "second": {"weight": -1.0}}), sources)


def test_sources_are_never_written_to(sources: Sources) -> None:
    before = {name: sources["base"].read(name).clone() for name in sources["base"].names}
    tensors(merge_of("ties", dense(TWO, density=0.5), "base"), sources)
    assert all(torch.equal(sources["base"].read(name), tensor) for name, tensor in before.items())
