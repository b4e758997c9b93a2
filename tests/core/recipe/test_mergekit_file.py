"""mergekit configurations: what files in the wild mean, what is refused, and writing without loss."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import read_yaml
from evomerge_core.fixed_merge.mergekit import merge_in, write_mergekit
from evomerge_core.merging.config import MergeConfig, Parameters, Setting, Slice, SliceSource

TIES = """\
models:
  - model: mistralai/Mistral-7B-v0.1
  - model: owner/one
    parameters:
      density: [1, 0.7, 0.1]
      weight: 1.0
  - model: owner/two+./adapters/x
    parameters:
      density: 0.5
      weight:
        - filter: mlp
          value: [0, 1e-1]
        - filter: "*"
          value: 0.25
merge_method: ties
base_model: mistralai/Mistral-7B-v0.1
parameters:
  normalize: true
  int8_mask: true
dtype: float16
"""

SLERP = """\
slices:
  - sources:
      - {model: owner/a, layer_range: [0, 8]}
      - {model: owner/b, layer_range: [4, 12]}
  - sources:
      - {model: owner/a, layer_range: [8, 16]}
      - {model: owner/b, layer_range: [8, 16]}
    base_model: owner/b
    parameters: {t: 0.25}
merge_method: slerp
base_model: owner/a
parameters:
  t:
    - filter: self_attn
      value: [0, 0.5, 1]
    - value: 0.5
tokenizer_source: owner/b
dtype: torch.bfloat16
"""

PASSTHROUGH = """\
slices:
  - sources:
      - model: owner/a
        layer_range: [0, 24]
  - sources:
      - model: owner/b
        layer_range: [8, 32]
        parameters: {scale: 0.5}
merge_method: passthrough
dtype: float32
out_dtype: float16
"""


def read(folder: Path, text: str) -> MergeConfig:
    path = folder / "mergekit_config.yml"
    path.write_text(text, encoding="utf-8")
    return merge_in(read_yaml(path))


def setting(*values: float | bool, filter: str | None = None) -> tuple[Setting, ...]:
    return (Setting(values, filter),)


def test_ties_with_gradients_and_filters(tmp_path: Path) -> None:
    weights = (Setting((0.0, 0.1), "mlp"), Setting((0.25,)))
    assert read(tmp_path, TIES) == MergeConfig(
        method="ties",
        base="mistralai/Mistral-7B-v0.1",
        slices=(
            Slice(
                (
                    SliceSource("mistralai/Mistral-7B-v0.1"),
                    SliceSource("owner/one", None, {"density": setting(1.0, 0.7, 0.1), "weight": setting(1.0)}),
                    SliceSource("owner/two+./adapters/x", None, {"density": setting(0.5), "weight": weights}),
                )
            ),
        ),
        parameters={"normalize": setting(True)},
        dtype="float16",
        out_dtype="float16",
    )


def test_slerp_with_slices_and_their_own_settings(tmp_path: Path) -> None:
    config = read(tmp_path, SLERP)
    first, second = config.slices
    assert [(source.model, source.layers) for source in first.sources] == [("owner/a", (0, 8)), ("owner/b", (4, 12))]
    assert (first.base, second.base, second.parameters) == (None, "owner/b", {"t": setting(0.25)})
    assert config.parameters == {"t": (Setting((0.0, 0.5, 1.0), "self_attn"), Setting((0.5,)))}
    assert (config.base, config.tokenizer, config.dtype, config.out_dtype) == ("owner/a", "owner/b", "bfloat16", "bfloat16")


def test_passthrough_of_layers(tmp_path: Path) -> None:
    config = read(tmp_path, PASSTHROUGH)
    assert [piece.sources[0].layers for piece in config.slices] == [(0, 24), (8, 32)]
    assert config.slices[1].sources[0].parameters == {"scale": setting(0.5)}
    assert (config.dtype, config.out_dtype) == ("float32", "float16")


def test_a_base_that_the_method_does_not_compare_with_is_merged_too(tmp_path: Path) -> None:
    config = read(tmp_path, "merge_method: karcher\nbase_model: a\nmodels: [{model: b}, {model: c}]\n")
    assert [source.model for source in config.slices[0].sources] == ["b", "c", "a"]


def test_maths_is_in_float32_when_the_file_has_no_dtype(tmp_path: Path) -> None:
    config = read(tmp_path, "merge_method: karcher\nmodels: [{model: b}, {model: c}]\n")
    assert (config.dtype, config.out_dtype, config.tokenizer, config.seed) == ("float32", "bfloat16", "base", 0)


@pytest.mark.parametrize("template", ["auto", "owner/one", "{{ messages }}"])
def test_chat_templates_are_jinja_text_or_say_whose(tmp_path: Path, template: str) -> None:
    assert read(tmp_path, TIES + f"chat_template: '{template}'\n").chat_template == template


@pytest.mark.parametrize("text", [TIES, SLERP, PASSTHROUGH])
def test_a_read_file_is_written_without_loss(tmp_path: Path, text: str) -> None:
    config = read(tmp_path, text)
    assert read(tmp_path, write_mergekit(config)) == config


_numbers = st.floats(-1e6, 1e6)
_densities = st.floats(0, 1)
_models = st.text("abc/.-+@ 12e#:'\"\\日本", min_size=1, max_size=12)
_filters = st.lists(st.text("abc._*1é: ", min_size=1).filter(lambda text: text != "*"), max_size=3, unique=True)


@st.composite
def _settings(draw: st.DrawFn, values: st.SearchStrategy[float]) -> tuple[Setting, ...]:
    gradient = st.lists(values, min_size=1, max_size=5).map(tuple)
    found = [Setting(draw(gradient), pattern) for pattern in draw(_filters)]
    return (*found, Setting(draw(gradient)))


@st.composite
def _configs(draw: st.DrawFn) -> MergeConfig:
    base, *models = draw(st.lists(_models, min_size=2, max_size=4, unique=True))

    def own() -> Parameters:
        return {"weight": draw(_settings(_numbers)), "density": draw(_settings(_densities))}

    def one_slice(layers: tuple[int, int] | None, start: SliceSource) -> Slice:
        return Slice((start, *(SliceSource(model, layers, own()) for model in models)))

    if draw(st.booleans()):
        slices = tuple(one_slice((begin, begin + 2), SliceSource(base, (begin, begin + 2))) for begin in range(0, 6, 2))
    else:
        slices = (one_slice(None, SliceSource(base)),)
    return MergeConfig(
        method="dare_ties",
        slices=slices,
        base=base,
        parameters={"lambda": draw(_settings(_numbers)), "rescale": setting(draw(st.booleans()))},
        dtype=draw(st.sampled_from(["float32", "bfloat16", "float16"])),
        out_dtype=draw(st.sampled_from(["float32", "bfloat16", "float16"])),
        tokenizer=draw(st.sampled_from(["base", "owner/other"])),
        chat_template=draw(st.none() | st.text("{% }abc\n\t\"' é", min_size=1).map(lambda text: text + "{")),
        seed=draw(st.integers(0, 2**63)),
    )


@given(_configs())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_any_config_reads_back_equal_and_is_plain_yaml_with_mergekits_keys(tmp_path: Path, config: MergeConfig) -> None:
    text = write_mergekit(config)
    assert read(tmp_path, text) == config
    plain = yaml.safe_load(text)
    places = {"models", "slices", "parameters", "chat_template"}
    assert set(plain) <= {"merge_method", "base_model", "dtype", "out_dtype", "tokenizer_source", *places}
    assert plain["base_model"] == config.base


def test_the_seed_stands_in_a_comment_that_others_ignore(tmp_path: Path) -> None:
    config = read(tmp_path, "# evomerge: {version: 1, seed: 42}\n" + TIES)
    assert config.seed == 42
    assert write_mergekit(config).splitlines()[0] == "# evomerge: {version: 1, seed: 42}"


def refused(folder: Path, text: str) -> str:
    path = folder / "mergekit_config.yml"
    with pytest.raises(InputError) as caught:
        read(folder, text)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}:")
    return message.removeprefix(f"{path}:")


TWO = """\
merge_method: task_arithmetic
base_model: base
models:
  - model: a
    parameters: {weight: 1.0}
  - model: b
    parameters: {weight: 0.5}
"""
ONE_SLICE = """\
merge_method: task_arithmetic
base_model: base
slices:
  - sources:
      - {model: base, layer_range: [0, 4]}
      - {model: a, layer_range: [0, 4], parameters: {weight: 1.0}}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TWO + "merge_methd: ties\n", "8: key 'merge_methd' is unknown; did you mean 'merge_method'?"),
        (TWO.replace("task_arithmetic", "task_arithmatic"), "1: unknown merge method 'task_arithmatic'; did you mean"),
        (TWO.replace("merge_method: task_arithmetic\n", ""), "1: key 'merge_method' is missing"),
        (TWO.replace("base_model: base\n", ""), "2: task_arithmetic: base_model is missing"),
        (TWO + "modules: {}\n", "8: key 'modules' must hold one module, 'default', with its models or slices"),
        (TWO + "modules: {default: {slices: []}}\n", "8: key 'modules' can't stand beside 'models'; keep one"),
        (TWO + "evomerge: 1\n", "8: key 'evomerge' makes this a recipe"),
        (TWO + "slices: []\n", "8: keys 'models' and 'slices' exclude each other"),
        (TWO.split("models")[0], "1: keys 'models' and 'slices' are both missing"),
        (TWO + "tokenizer: 3\n", "8: key 'tokenizer' must be a mapping"),
        (TWO + "tokenizer: {source: base, token: {}}\n", "8: key 'token' is unknown in 'tokenizer'; did you mean 'tokens'?"),
        (TWO + "tokenizer: {source: base}\ntokenizer_source: base\n", "8: 'tokenizer' and 'tokenizer_source' exclude"),
        (TWO + "chat_template: chatlm\n", "8: key 'chat_template' names 'chatlm'; write the Jinja template itself"),
        (TWO + "tokenizer_source: 'model:'\n", "8: key 'tokenizer_source' names no model after 'model:'"),
        (TWO + "dtype: float64\n", "8: key 'dtype' must be one of float32, bfloat16, float16, not 'float64'"),
        (TWO + "dtype: 32\n", "8: key 'dtype' must be text"),
        (TWO + "parameters: {density: 0.5}\n", "8: task_arithmetic: unknown parameter 'density'"),
        (TWO + "parameters: {normalize: [true, false]}\n", "8: key 'parameters.normalize' is a list; give one value"),
        (TWO + "parameters: {normalize: 2}\n", "8: task_arithmetic: normalize is 2; give true or false"),
        (TWO + "parameters: {lambda: .nan}\n", "8: task_arithmetic: lambda is nan; give a number"),
        (TWO + "parameters: {int8_mask: 3}\n", "8: key 'parameters.int8_mask' must be true or false"),
        (TWO + "parameters: {weight: []}\n", "8: key 'parameters.weight' is an empty list; give one value"),
        (
            TWO + "parameters: {weight: [{value: 1}, {filter: mlp, value: 2}]}\n",
            "8: key 'parameters.weight[1]' is never reached",
        ),
        (TWO + "parameters: {weight: [{filter: mlp}]}\n", "8: key 'parameters.weight[0]' must hold 'value'"),
        (TWO + "parameters: {weight: [{fliter: mlp, value: 1}]}\n", "8: key 'fliter' is unknown in 'parameters.weight[0]'"),
        (TWO + "parameters: {weight: [1, {value: 1}]}\n", "8: key 'parameters.weight[0]' must hold 'value'"),
        (TWO + "parameters: {weight: heavy}\n", "8: task_arithmetic: weight is 'heavy'; give a number"),
        (TWO.replace("0.5}", "0.5, lambda: 2}"), "7: lambda is the same for all models; move it"),
        (TWO.replace("0.5}", "0.5, wieght: 2}"), "7: task_arithmetic: unknown parameter 'wieght'; did you mean 'weight'?"),
        (TWO.replace("{weight: 0.5}", "{}"), "6: task_arithmetic needs the parameter 'weight' for the model 'b'; add it"),
        (TWO.replace("- model: b", "- model: a"), "6: the model 'a' is listed twice; keep one"),
        (TWO.split("  - model: b")[0].replace("- model: a", "- model: base"), "3: task_arithmetic: 0 models given"),
        (TWO.replace("- model: b", "- modle: b"), "6: key 'modle' is unknown in 'models[1]'; did you mean 'model'?"),
        (TWO.replace("  - model: b\n    parameters", "  - parameters"), "6: key 'models[1]' lacks 'model'"),
        (TWO.replace("- model: b", "- model: [b]"), "6: key 'models[1].model' must be text"),
        (TWO.replace("- model: b", "- model: b\n    revision: v2"), "7: key 'models[1].revision' is for models of the hub"),
        (
            TWO.replace("- model: b", "- model: b\n    layer_range: [0, 4]"),
            "7: key 'models[1].layer_range' has no effect under 'models'",
        ),
        (TWO.replace("task_arithmetic", "slerp").replace("{weight: 1.0}", "{}"), "7: slerp: unknown parameter 'weight'"),
        (ONE_SLICE + "    merge_method: ties\n", "7: key 'slices[0].merge_method' has no effect in a slice"),
        (ONE_SLICE + "    residual_weight: 1\n", "7: key 'slices[0].residual_weight' isn't supported"),
        (ONE_SLICE + "    base_model: other\n", "4: the base 'other' is missing among the sources"),
        (ONE_SLICE.replace("a, layer_range: [0, 4]", "a"), "6: key 'slices[0].sources[1].layer_range' must be two layers"),
        (
            ONE_SLICE.replace("a, layer_range: [0, 4]", "a, layer_range: [4, 0]"),
            "6: key 'slices[0].sources[1].layer_range' must be",
        ),
        (
            ONE_SLICE.replace("a, layer_range: [0, 4]", "a, layer_range: [0, 5]"),
            "6: key 'slices[0].sources[1].layer_range' has 5 layers",
        ),
        ("# evomerge: {seed: 1}\n" + TWO, "1: the comment must be like '# evomerge: {version: 1, seed: 0}'"),
        ("# evomerge: {version: 1, seed: -1}\n" + TWO, "1: the comment must be like"),
        ("# evomerge: {version: 2, seed: 1}\n" + TWO, "1: the comment must be like"),
        ("# evomerge: seed 3\n" + TWO, "1: the comment must be like"),
    ],
)
def test_what_is_not_supported_is_refused_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    assert refused(tmp_path, text).startswith(expected)


def test_what_mergekit_cannot_say_is_not_written() -> None:
    source = SliceSource("a")
    own_method = MergeConfig("karcher", (Slice((SliceSource("a", (0, 2)),), method="linear"),))
    with pytest.raises(ValueError, match="method of their own"):
        write_mergekit(own_method)
    with pytest.raises(ValueError, match="layers of every source"):
        write_mergekit(MergeConfig("karcher", (Slice((source,)), Slice((source,)))))
