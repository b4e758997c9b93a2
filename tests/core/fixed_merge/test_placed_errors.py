"""What only the models show to be wrong in a merge's file is told with the file, and with the key that it stands under."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.fixed_merge.merge_from_file import merge_from_file
from support.source_models import write_model

LINEAR = "merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}, {model: b, parameters: {weight: %s}}]\n"
STACKED = "slices: [{sources: [{model: a, layer_range: [0, 2]}]}, {sources: [{model: b, layer_range: [0, 5]}]}]\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models of two layers."""
    folder = tmp_path_factory.mktemp("models")
    write_model(folder / "a", seed=0)
    write_model(folder / "b", seed=1)
    return folder


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LINEAR % -1, "linear: the weights sum to 0; change one"),
        (LINEAR % 1 + "chat_template: auto\n", "chat_template: auto, but no model has a template; give one"),
        (LINEAR % 1 + "tokenizer: union\n", "3: key 'tokenizer' must be a mapping of keys to values; write {source: union}"),
        (
            "merge_method: della\nbase_model: a\nmodels: [{model: b, parameters: {weight: 1, density: 0.1, epsilon: 0.2}}]\n",
            "density 0.1 with epsilon 0.2; lower epsilon",
        ),
        (
            f"merge_method: passthrough\n{STACKED}",
            "2: key 'slices[1].sources[0].layer_range' names layer 2: the model has layers 0 to 1; give one of them",
        ),
        (
            f"merge_method: passthrough\nmodules:\n  default:\n    {STACKED}",
            "4: key 'slices[1].sources[0].layer_range' names layer 2: the model has layers 0 to 1; give one of them",
        ),
    ],
    ids=["weights", "template", "tokenizer", "della", "layers", "layers-of-a-module"],
)
def test_the_file_and_the_key_are_named(models: Path, tmp_path: Path, text: str, message: str) -> None:
    (models / "merge.yml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"^\S*merge\.yml: ?{re.escape(message)}"):
        merge_from_file(models / "merge.yml", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_tokenizer_without_a_value_is_none(models: Path, tmp_path: Path) -> None:
    (models / "merge.yml").write_text(LINEAR % 1 + "tokenizer:\n", encoding="utf-8")
    merge_from_file(models / "merge.yml", tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_what_is_wrong_with_a_model_stays_the_models(models: Path, tmp_path: Path) -> None:
    write_model(models / "narrow", seed=2, hidden_size=32)
    (models / "merge.yml").write_text((LINEAR % 1).replace("model: b", "model: narrow"), encoding="utf-8")
    with pytest.raises(InputError, match=r"^narrow: "):
        merge_from_file(models / "merge.yml", tmp_path / "out")
