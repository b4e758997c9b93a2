"""Several merges in one file: mergekit-multi's format. The oracle is each merge carried out from a file of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import parse_documents
from evomerge_core.fixed_merge.merge_from_file import merge_from_file
from evomerge_core.fixed_merge.named_merges import order_merges
from support.merging_models import write_base, write_fine_tune

CORE = """\
merge_method: nuslerp
models:
  - {model: a, parameters: {weight: 0.4}}
  - {model: b, parameters: {weight: 0.6}}
dtype: bfloat16
"""
LAST = """\
merge_method: slerp
base_model: core
models:
  - model: core
  - model: c
parameters: {t: 0.5}
dtype: bfloat16
tokenizer_source: model:core
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stages")
    write_base(folder / "a")
    write_fine_tune(folder / "a", folder / "b", 1)
    write_fine_tune(folder / "a", folder / "c", 2)
    return folder


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize("text", [f"name: core\n{CORE}---\n{LAST}", f"{LAST}---\nname: core\n{CORE}"])
def test_every_merge_is_carried_out_in_an_order_that_works(folder: Path, tmp_path: Path, text: str) -> None:
    merge_from_file(written(folder, "core.yml", CORE), folder / "core")
    try:
        merge_from_file(written(folder, "last.yml", LAST.replace("model:core", "core")), tmp_path / "expected")
    finally:
        for file in (folder / "core").iterdir():
            file.unlink()
        (folder / "core").rmdir()
    merge_from_file(written(folder, "stages.yml", text), tmp_path / "out")
    expected, found = (load_file(tmp_path / name / "model.safetensors") for name in ("expected", "out"))
    assert found.keys() == expected.keys()
    assert all(bool((found[name] == expected[name]).all()) for name in expected)
    assert (tmp_path / "out" / "mergekit_config.yml").read_text(encoding="utf-8") == text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["expected", "out"]


def test_a_name_is_a_name_in_one_document_too(folder: Path, tmp_path: Path) -> None:
    merge_from_file(written(folder, "named.yml", "name: core\n" + CORE), tmp_path / "named")
    assert (tmp_path / "named" / "model.safetensors").is_file()


def test_what_is_wrong_in_the_last_merge_is_told_before_the_first_is_carried_out(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"stages\.yml:\d+: slerp"):
        merge_from_file(
            written(folder, "stages.yml", f"name: core\n{CORE}---\n{LAST.replace('{t: 0.5}', '{s: 0.5}')}"), tmp_path / "out"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{CORE}---\n{LAST}", "stages.yml:1: two merges of the file have no name"),
        (f"name: core\n{CORE}---\nname: core\n{LAST}", "stages.yml:1: key 'name' is 'core' twice"),
        (f"name: core\n{CORE}---\nname: last\n{LAST}", "stages.yml:8: key 'name' leaves no merge for the result"),
        (f"name: cor\n{CORE}---\n{LAST}", "stages.yml:1: key 'name' is 'cor', which no other merge uses"),
        (f"name: ../core\n{CORE}---\n{LAST}", "stages.yml:1: key 'name' is '../core'"),
        (f"name: 3\n{CORE}---\n{LAST}", "stages.yml:1: key 'name' must be text"),
        (
            f"name: core\n{CORE.replace(': a', ': next')}---\nname: next\n{CORE.replace(': a', ': core')}---\n{LAST}",
            "stages.yml:1: the merges need each other's children",
        ),
    ],
)
def test_names_that_do_not_fit_are_refused(text: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        order_merges(parse_documents(text, Path("stages.yml")))
    assert str(caught.value).startswith(expected)
