"""How mergekit's files name models. The long form is `ModelReference` of mergekit 0.1.5; its `str()` is what stands here."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import parse_yaml, read_yaml
from evomerge_core.fixed_merge.mergekit import merge_in, write_mergekit
from evomerge_core.merging.config import MergeConfig

TEXT = """\
merge_method: task_arithmetic
base_model: owner/base@v1
models:
  - model: owner/one@v2+owner/adapter
    parameters: {weight: 0.5}
  - model: ./two+./adapter
    parameters: {weight: 0.25}
tokenizer_source: ./two+./adapter
"""
# As mergekit writes a reference with a space in it, and as its older versions wrote every reference into model cards.
LONG = """\
merge_method: task_arithmetic
base_model:
  model: {path: owner/base, revision: v1}
  lora: null
  override_architecture: null
models:
  - model: {model: {path: owner/one, revision: v2}, lora: {path: owner/adapter, revision: null}}
    parameters: {weight: 0.5}
  - model: {model: ./two, lora: ./adapter}
    parameters: {weight: 0.25}
tokenizer_source: {model: {path: ./two}, lora: {path: ./adapter}}
"""


def read(text: str) -> MergeConfig:
    return merge_in(parse_yaml(text, Path("merge.yml")))


def test_the_long_form_means_the_text() -> None:
    assert read(LONG) == read(TEXT)


def test_slices_and_their_bases_are_named_in_either_way() -> None:
    slices = """\
merge_method: slerp
base_model: a
slices:
  - base_model: {BASE}
    sources:
      - {model: {BASE}, layer_range: [0, 2]}
      - {model: b, layer_range: [0, 2]}
parameters: {t: 0.5}
"""
    assert read(slices.replace("{BASE}", "{model: {path: c}}")) == read(slices.replace("{BASE}", "c"))


def test_a_path_alone_is_a_model() -> None:
    assert read(TEXT.replace("owner/base@v1", "{path: owner/base, revision: v1}")) == read(TEXT)


def test_a_revision_beside_a_model_is_the_models() -> None:
    """As DPOpenHermes-11B was published; mergekit passes over the key and takes another revision."""
    long = TEXT.replace("model: owner/one@v2+owner/adapter", "model: owner/one+owner/adapter\n    revision: v2")
    assert read(long) == read(TEXT)


def test_the_base_is_known_again_in_another_form() -> None:
    listed = TEXT.replace("  - model: ./two", "  - model: {model: {path: owner/base, revision: v1}}\n  - model: ./two")
    (only,) = read(listed).slices
    assert [source.model for source in only.sources][1] == "owner/base@v1"


def test_written_files_name_models_by_text(tmp_path: Path) -> None:
    text = write_mergekit(read(LONG))
    (tmp_path / "again.yml").write_text(text, encoding="utf-8")
    assert yaml.safe_load(text)["base_model"] == "owner/base@v1"
    assert merge_in(read_yaml(tmp_path / "again.yml")) == read(TEXT)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("{modle: {path: a}}", "merge.yml:2: key 'modle' is unknown in 'base_model'; did you mean 'model'?"),
        ("{lora: {path: a}}", "merge.yml:2: key 'base_model' must be text, MODEL or MODEL+ADAPTER, or a mapping"),
        ("{}", "merge.yml:2: key 'base_model' must be text, MODEL or MODEL+ADAPTER, or a mapping"),
        ("[a]", "merge.yml:2: key 'base_model' must be text"),
        ("{model: 3}", "merge.yml:2: key 'base_model.model' must be text, MODEL or MODEL+ADAPTER, or a mapping"),
        ("{model: {path: 3}}", "merge.yml:2: key 'base_model.model.path' must be text"),
        ("{model: {path: o/a, revision: 3}}", "merge.yml:2: key 'base_model.model.revision' must be text (in quotes"),
        ("{model: {path: ./a, revision: v1}}", "merge.yml:2: key 'base_model.model.revision' is for models of the hub"),
        ("{model: {path: o/a@v1, revision: v2}}", "merge.yml:2: key 'base_model.model.revision' is for models of the hub"),
        ("{model: {path: o/a, rev: v1}}", "merge.yml:2: key 'rev' is unknown in 'base_model.model'"),
        ("{model: a, override_architecture: B}", "merge.yml:2: key 'base_model.override_architecture' isn't supported"),
    ],
)
def test_a_mapping_that_names_no_model_is_refused(reference: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        read(TEXT.replace("owner/base@v1", reference))
    assert str(caught.value).startswith(expected)
