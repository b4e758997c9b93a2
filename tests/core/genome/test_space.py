"""Genomes and merge configurations: exact both ways, and exact through YAML."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import read_yaml
from evomerge_core.fixed_merge.mergekit import merge_in, write_mergekit
from evomerge_core.genome.space import Space, make_space
from evomerge_core.genome.spec import SearchSpace
from evomerge_core.merging.config import MergeConfig, Setting, whole_model

LAYERS = 6
TENSORS = ["model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"] + [
    f"model.layers.{layer}.{part}.weight"
    for layer in range(LAYERS)
    for part in ("self_attn.q_proj", "mlp.up_proj", "input_layernorm", "post_attention_layernorm")
]


def space_of(search_space: dict[str, object], sources: int = 2, seed: int = 3) -> Space:
    references = {f"source-{index}": f"./models/source-{index}" for index in range(sources)}
    return make_space(SearchSpace.model_validate(search_space), "owner/base", references, LAYERS, TENSORS, seed)


SPACES = [
    space_of({}),
    space_of({"preset": "paper"}, sources=3),
    space_of({"groups": "parts", "method": "ties", "parameters": {"weight": {}, "density": {}}}),
    space_of({"groups": {"parts": True, "bands": 3}}),
    space_of(
        {
            "groups": {"filters": ["q_proj", "mlp"], "band_layers": 2},
            "parameters": {"weight": {}, "lambda": {"low": 0, "high": 2}},
        }
    ),
    space_of({"groups": "layers", "method": "slerp"}, sources=1),
    space_of({"groups": {"bands": 4}, "method": "linear"}),
    space_of({"groups": "whole", "method": "della", "parameters": {"weight": {}, "epsilon": {"low": 0, "high": 0.1}}}),
]


@st.composite
def genomes(draw: st.DrawFn) -> tuple[Space, np.ndarray]:
    space = draw(st.sampled_from(SPACES))
    bounds = zip(space.low.tolist(), space.high.tolist(), strict=True)
    return space, np.array([draw(st.floats(low, high)) for low, high in bounds])


@given(genomes())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_genome_config_and_file_lead_back_exactly(tmp_path: Path, drawn: tuple[Space, np.ndarray]) -> None:
    space, vector = drawn
    config = space.to_config(vector)
    assert space.to_vector(config).tobytes() == vector.tobytes()
    path = tmp_path / "mergekit_config.yml"
    path.write_text(write_mergekit(config), encoding="utf-8")
    read = merge_in(read_yaml(path))
    assert read == config
    assert space.to_vector(read).tobytes() == vector.tobytes()


def meant(found: tuple[Setting, ...], tensor: str) -> float:
    """What mergekit makes of a setting for a tensor: first filter that matches, then interpolation over the layers."""
    setting = next(known for known in found if known.filter is None or known.filter in tensor)
    values = [float(value) for value in setting.values]
    layer = int(tensor.split(".")[2]) if ".layers." in tensor else 0
    return float(np.interp(layer / (LAYERS - 1) * (len(values) - 1), range(len(values)), values))


@pytest.mark.parametrize("space", SPACES)
def test_each_tensor_gets_its_groups_number(space: Space) -> None:
    vector = np.random.default_rng(0).uniform(space.low, space.high)
    config = space.to_config(vector)
    numbers = {(row.parameter, row.source, row.group): row.value for row in space.describe(vector)}
    for tensor in TENSORS:
        group = space.grouping.names[space.grouping.index(tensor)]
        for source, label in zip(config.slices[0].sources, space.labels, strict=True):
            for name in {block.parameter for block in space.blocks}:
                own = source.parameters.get(name, config.parameters.get(name))
                assert own is not None
                wanted = numbers.get((name, label, group), numbers.get((name, None, group)))
                assert meant(own, tensor) == pytest.approx(wanted, abs=1e-12)


def test_order_is_parameter_then_source_then_group() -> None:
    space = space_of({"groups": {"bands": 2}, "method": "ties", "parameters": {"density": {}, "weight": {}}})
    assert space.names == (
        "weight·source-0·layers 0-2",
        "weight·source-0·layers 3-5",
        "weight·source-1·layers 0-2",
        "weight·source-1·layers 3-5",
        "density·source-0·layers 0-2",
        "density·source-0·layers 3-5",
        "density·source-1·layers 0-2",
        "density·source-1·layers 3-5",
    )
    assert space.dimension == 8
    assert space.high.tolist() == [1.5] * 4 + [1.0] * 4


def test_the_paper_has_six_numbers_for_three_sources() -> None:
    space = space_of({"preset": "paper"}, sources=3)
    assert space.dimension == 6
    assert space.start.tolist() == [0.5] * 6


def test_a_default_space_has_twenty_numbers_at_most() -> None:
    assert [space_of({}, sources=count).dimension for count in (1, 2, 3, 4, 7, 25)] == [6, 12, 18, 20, 14, 25]


def test_the_config_says_the_whole_merge() -> None:
    space = space_of({"groups": {"bands": 2}}, seed=11)
    config = space.to_config(np.array([0.1, 0.2, 0.3, 0.4]))
    assert (config.method, config.base, config.seed, config.tokenizer) == ("task_arithmetic", "owner/base", 11, "base")
    assert config.parameters == {"normalize": (Setting((False,)),), "lambda": (Setting((1.0,)),)}
    first, second = config.slices[0].sources
    assert (first.model, second.model) == ("./models/source-0", "./models/source-1")
    assert first.parameters == {"weight": (Setting((0.1, 0.1, 0.1, 0.2, 0.2, 0.2)),)}
    assert second.parameters == {"weight": (Setting((0.3, 0.3, 0.3, 0.4, 0.4, 0.4)),)}


def test_whole_models_are_merged_without_the_base() -> None:
    config = space_of({"method": "linear"}).to_config(space_of({"method": "linear"}).start)
    assert (config.base, config.tokenizer) == (None, "owner/base")


def test_a_uniform_genome_has_equal_weights_and_keeps_all_entries() -> None:
    space = space_of({"method": "ties", "parameters": {"weight": {}, "density": {"high": 0.75}}, "groups": "whole"})
    assert space.uniform(0.9).tolist() == [0.9, 0.9, 0.75, 0.75]
    slerp = space_of({"method": "slerp", "groups": "whole"}, sources=1)
    assert slerp.uniform(0.9).tolist() == slerp.start.tolist()


def test_a_source_alone_is_passed_through() -> None:
    config = whole_model("./models/source-1", tokenizer="owner/base")
    assert (config.method, [source.model for source in config.slices[0].sources]) == ("passthrough", ["./models/source-1"])


def test_a_merge_from_elsewhere_has_no_vector() -> None:
    space = space_of({"groups": {"bands": 2}})
    vector = np.arange(4.0)
    config = space.to_config(vector)
    others = [
        space_of({"groups": {"bands": 3}}).to_config(np.arange(6.0)),
        space_of({"groups": {"bands": 2}}, seed=4).to_config(vector),
        space_of({"groups": {"bands": 2}, "method": "ties"}).to_config(vector),
        MergeConfig("task_arithmetic", ()),
        MergeConfig(config.method, config.slices, config.base, {}, seed=config.seed),
    ]
    for other in others:
        with pytest.raises(InputError, match="not from this search space"):
            space.to_vector(other)


@pytest.mark.parametrize("vector", [np.zeros(3), np.full(12, np.nan)])
def test_only_whole_finite_vectors_are_genomes(vector: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite numbers"):
        SPACES[0].to_config(vector)
