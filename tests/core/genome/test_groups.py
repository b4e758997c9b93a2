"""Groups of tensors: each tensor in exactly one, named as people name them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPTNeoXConfig, LlamaConfig, PretrainedConfig

from evomerge_core.errors import InputError
from evomerge_core.genome.groups import make_grouping
from evomerge_core.genome.spec import Groups

LLAMA = LlamaConfig(
    hidden_size=64, intermediate_size=96, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=2, vocab_size=300
)


def names_of(config: PretrainedConfig) -> list[str]:
    with torch.device("meta"):
        return list(AutoModelForCausalLM.from_config(config).state_dict())


def of(value: object) -> Groups:
    return Groups.model_validate(value)


def sizes(value: object, config: PretrainedConfig = LLAMA, layers: int = 6, numbers: int = 1) -> dict[str, int]:
    """Tensors in each group."""
    names = names_of(config)
    grouping = make_grouping(of(value), layers, names, numbers)
    counts = Counter(grouping.index(name) for name in names)
    assert sum(counts.values()) == len(names)
    return {name: counts[index] for index, name in enumerate(grouping.names)}


def test_one_group_holds_the_whole_model() -> None:
    # 9 tensors a layer, embedding, final norm, head.
    assert sizes("whole") == {"whole": 57}


def test_parts_are_attention_mlp_and_the_rest() -> None:
    # 4 projections and 3 projections a layer; 2 norms a layer and 3 tensors outside.
    assert sizes("parts") == {"attention": 24, "MLP": 18, "rest": 15}


def test_bands_are_equal_in_size_and_the_first_holds_what_is_outside_the_layers() -> None:
    assert sizes({"bands": 3}) == {"layers 0-1": 21, "layers 2-3": 18, "layers 4-5": 18}
    assert sizes({"bands": 4}) == {"layers 0-1": 21, "layer 2": 9, "layers 3-4": 18, "layer 5": 9}
    assert sizes({"band_layers": 3}) == {"layers 0-2": 30, "layers 3-5": 27}


def test_single_layers() -> None:
    assert sizes("layers") == {"layer 0": 12, **{f"layer {index}": 9 for index in range(1, 6)}}


def test_parts_within_bands() -> None:
    assert sizes({"parts": True, "bands": 2}) == {
        "attention layers 0-2": 12,
        "attention layers 3-5": 12,
        "MLP layers 0-2": 9,
        "MLP layers 3-5": 9,
        "rest layers 0-2": 9,
        "rest layers 3-5": 6,
    }


def test_filters_are_tried_in_order() -> None:
    assert sizes({"filters": ["q_proj", "self_attn"]}) == {"q_proj": 6, "self_attn": 18, "rest": 33}


@pytest.mark.parametrize(("numbers", "bands"), [(1, 6), (4, 5), (7, 2), (30, 1)])
def test_auto_takes_as_many_bands_as_keep_the_search_at_twenty_numbers(numbers: int, bands: int) -> None:
    assert len(sizes("auto", numbers=numbers)) == bands


@pytest.mark.parametrize(
    "config",
    [
        GPT2Config(n_layer=2, n_embd=64, n_head=4, vocab_size=300),
        GPTNeoXConfig(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96, vocab_size=300),
    ],
)
def test_other_families_have_the_same_parts(config: PretrainedConfig) -> None:
    counts = sizes({"parts": True, "bands": 2}, config, layers=2)
    assert set(counts) == {f"{part} layer {layer}" for part in ("attention", "MLP", "rest") for layer in (0, 1)}
    names = names_of(config)
    grouping = make_grouping(of("parts"), 2, names, 1)
    norms = [name for name in names if "norm" in name or ".ln_" in name]
    assert norms
    assert {grouping.names[grouping.index(name)] for name in norms} == {"rest"}


def unfit() -> Iterator[tuple[object, str]]:
    yield {"bands": 7}, "7 bands but only 6 layers"
    yield {"band_layers": 4}, "6 layers can't be divided by 4"
    yield {"filters": ["no_such"]}, "no tensors for the group 'no_such'"
    yield {"filters": ["embed"], "bands": 2}, "no tensors for the group 'embed layers 3-5'"


@pytest.mark.parametrize(("value", "problem"), list(unfit()))
def test_groups_that_do_not_fit_the_model_are_refused(value: object, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        sizes(value)


def test_parts_need_names_that_tell_them_apart() -> None:
    with pytest.raises(InputError, match="no tensor's name contains attn"):
        make_grouping(of("parts"), 1, ["layers.0.mixer.weight", "layers.0.mlp.up.weight"], 1)


def test_a_vision_towers_layers_are_outside_the_layers() -> None:
    tower = [f"vision.layers.{layer}.mlp.weight" for layer in range(3)]
    grouping = make_grouping(of({"bands": 2}), 6, [*names_of(LLAMA), *tower], 1)
    assert {grouping.names[grouping.index(name)] for name in tower} == {"layers 0-2"}


def test_a_layer_count_that_the_weights_deny_is_refused() -> None:
    with pytest.raises(InputError, match=r"config.json says 5 layers, its weights have 6"):
        make_grouping(of("whole"), 5, names_of(LLAMA), 1)
