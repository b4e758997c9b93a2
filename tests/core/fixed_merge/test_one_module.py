"""`modules: {default: ...}`, as mergekit's own copies of configurations have it, means what its keys mean at the top."""

from __future__ import annotations

from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import parse_yaml
from evomerge_core.fixed_merge.mergekit import merge_in
from evomerge_core.merging.config import MergeConfig

HEAD = "merge_method: della_linear\nbase_model: base\n"
SLICES = """\
slices:
  - sources:
      - {model: base, layer_range: [0, 4]}
      - model: a
        layer_range: [0, 4]
        parameters: {weight: [0.9, 0.2], density: 0.5, epsilon: 0.4}
"""
MODELS = "models:\n  - {model: a, parameters: {weight: 1}}\n"


def read(text: str) -> MergeConfig:
    return merge_in(parse_yaml(text, Path("merge.yml")))


def in_module(text: str) -> str:
    return "modules:\n  default:\n" + "".join(f"    {line}\n" for line in text.splitlines())


@pytest.mark.parametrize("text", [SLICES, MODELS, MODELS + "parameters: {normalize: 1.0}\n"])
def test_the_only_module_is_the_merge(text: str) -> None:
    assert read(HEAD + in_module(text)) == read(HEAD + text)


def test_errors_are_told_at_the_modules_line() -> None:
    with pytest.raises(InputError, match=r"^merge\.yml:9: key 'layer_rnge' is unknown in 'slices\[0\]\.sources\[1\]'"):
        read(HEAD + in_module(SLICES.replace("layer_range: [0, 4]\n        par", "layer_rnge: [0, 4]\n        par")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("modules:\n  text_decoder:\n    slices: []\n", "merge.yml:3: key 'modules' must hold one module, 'default'"),
        ("modules:\n  default:\n    slice: []\n", "merge.yml:5: key 'slice' is unknown in 'modules.default'"),
        ("modules:\n  default: 3\n", "merge.yml:3: key 'modules' must hold one module, 'default'"),
        (in_module(MODELS) + MODELS, "merge.yml:3: key 'modules' can't stand beside 'models'"),
        (
            in_module(MODELS + "parameters: {lambda: 1}\n") + "parameters: {normalize: true}\n",
            "merge.yml:7: key 'modules.default.parameters' can't stand beside the parameters at the top",
        ),
    ],
)
def test_other_modules_are_refused(text: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        read(HEAD + text)
    assert str(caught.value).startswith(expected)
