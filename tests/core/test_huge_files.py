"""Files of sizes that nobody means: one line that names the file and the limit, in little memory, at once."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evomerge_core.errors import InputError
from evomerge_core.files.json_file import read_json
from evomerge_core.files.yaml_file import read_yaml
from evomerge_core.fixed_merge.merge_from_file import merge_from_file
from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.view.result import read_result
from evomerge_core.sources.stored.model_card import front_matter
from evomerge_core.sources.stored.weight_file import open_weights
from evomerge_core.sources.vocabulary.chat_template import template_of
from evomerge_core.tasks.items.item_files import load_items

Read = Callable[[Path], object]


def _weights(path: Path) -> object:
    return open_weights(path, allow_pickle=False)


READERS: dict[str, tuple[str, Read]] = {
    "recipe": ("recipe.yaml", read_yaml),
    "config": ("config.json", read_json),
    "items": ("items.jsonl", load_items),
    "table": ("items.csv", load_items),
    "Parquet": ("items.parquet", load_items),
}


def _sparse(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


def _refusal(read: Read, path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("kind", READERS)
def test_a_file_of_gigabytes_is_refused_by_its_size(kind: str, tmp_path: Path) -> None:
    name, read = READERS[kind]
    assert "larger than" in _refusal(read, _sparse(tmp_path / name, 8 * 10**9))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize("kind", READERS)
def test_a_pipe_or_a_device_is_never_read(kind: str, tmp_path: Path) -> None:
    name, read = READERS[kind]
    os.mkfifo(tmp_path / name)
    assert "a pipe or a device" in _refusal(read, tmp_path / name)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    assert "a pipe or a device" in _refusal(read, tmp_path / name)


@pytest.mark.parametrize("kind", READERS)
def test_a_folder_is_said_to_be_one(kind: str, tmp_path: Path) -> None:
    name, read = READERS[kind]
    (tmp_path / name).mkdir()
    assert "a folder" in _refusal(read, tmp_path / name)


def test_json_of_millions_of_values_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"[" + b"{}," * 6_000_000 + b"{}]")
    assert "more than 5 million values" in _refusal(read_json, tmp_path / "config.json")
    (tmp_path / "items.csv").write_bytes(b"a,b\n" + b"," * 6_000_000)
    assert "more than 5 million values" in _refusal(load_items, tmp_path / "items.csv")


def test_a_small_recipe_can_not_unfold_into_a_large_one(tmp_path: Path) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{after}: &{after} [{','.join(['*' + before] * 9)}]\n" for before, after in zip("abcdefgh", "bcdefghi", strict=True)
    )
    (tmp_path / "recipe.yaml").write_text(bomb)
    assert "more than 100000 values" in _refusal(read_yaml, tmp_path / "recipe.yaml")
    (tmp_path / "recipe.yaml").write_text("a:\n" + "- 1\n" * 150_000)
    assert "more than 100000 values" in _refusal(read_yaml, tmp_path / "recipe.yaml")


def test_a_parquet_file_of_30_million_rows_is_refused_by_its_footer(tmp_path: Path) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 600_000, pa.int32()), pa.array(["x"]))
    pq.write_table(pa.table({"question": column, "answer": column}), tmp_path / "items.parquet")
    assert "600,000 rows of 2 columns" in _refusal(load_items, tmp_path / "items.parquet")


def test_too_many_rows_and_too_long_texts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text('{"q":1}\n' * 500_001)
    assert "more than 500,000 rows" in _refusal(load_items, tmp_path / "items.jsonl")
    (tmp_path / "items.jsonl").write_text(json.dumps({"question": "x", "answer": "y" * 5_000_000}))
    assert "`answer` has 5,000,000 characters" in _refusal(load_items, tmp_path / "items.jsonl")


def _safetensors(path: Path, header: bytes) -> Path:
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    return path


def test_a_header_of_a_million_tensors_is_refused_by_its_length(tmp_path: Path) -> None:
    path = _safetensors(tmp_path / "model.safetensors", b"{" + b" " * 40_000_000 + b"}")
    assert "its header has 40 MB" in _refusal(_weights, path)


def test_a_tensor_s_name_of_a_megabyte_is_refused_and_not_repeated(tmp_path: Path) -> None:
    header = {"x" * 1_000_000: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}
    line = _refusal(_weights, _safetensors(tmp_path / "model.safetensors", json.dumps(header).encode()))
    assert "1,000,000 characters" in line
    assert len(line) < 500


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_is_said_to_be_that(opening: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(opening * 200_000)
    assert "nested too deeply" in _refusal(read_json, tmp_path / "config.json")
    (tmp_path / "recipe.yaml").write_text("a: " + "[" * 50_000)
    assert "nested too deeply" in _refusal(read_yaml, tmp_path / "recipe.yaml")
    header = (opening * 200_000).encode()
    _refusal(_weights, _safetensors(tmp_path / "model.safetensors", header))


def test_a_chat_template_of_megabytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text("x" * 2_000_000)
    with pytest.raises(InputError, match="larger than 1 MB"):
        template_of(tmp_path)


@pytest.mark.parametrize(
    "head", ["a: [" * 5000, "license: !!int ''", "license: !!timestamp x", "a: &a [*a]", "\0", "? {a: 1}\n: 2"]
)
def test_a_card_that_can_not_be_read_says_nothing(head: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"---\n{head}\n---\n")
    assert not front_matter(tmp_path / "README.md").get("license")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_card_or_a_result_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "README.md")
    assert front_matter(tmp_path / "README.md") == {}
    (tmp_path / "winner").mkdir()
    os.mkfifo(tmp_path / "winner" / "result.json")
    with pytest.raises(InputError, match=r"result\.json: can't be read \(it is a pipe or a device\)"):
        read_result(tmp_path)


def _merge_file(tmp_path: Path, text: str) -> str:
    (tmp_path / "merge.yml").write_text(text)
    with pytest.raises(InputError) as caught:
        merge_from_file(tmp_path / "merge.yml", tmp_path / "out")
    return str(caught.value)


def test_merge_files_of_thousands_of_sources_and_of_a_billion_layers_are_refused(tmp_path: Path) -> None:
    sources = "merge_method: linear\nmodels:\n" + "- model: x\n" * 5_000
    assert "key 'models' has 5,000 entries" in _merge_file(tmp_path, sources)
    path = "evomerge_path: 1\nmodels: {A: x}\npath:\n- {model: A, layers: [0, 1000000000]}\n"
    assert "more than 10,000 layers" in _merge_file(tmp_path, path)
    assert "more than 10,000 layers" in _merge_file(tmp_path, path.replace("1000000000", str(10**30)))


def test_a_recipe_of_thousands_of_sources_is_refused(tmp_path: Path) -> None:
    sources = "\n".join(["sources:", *(f"- s{number}" for number in range(5_000))])
    (tmp_path / "recipe.yaml").write_text(
        f"evomerge: 1\nname: x\nbase: b\n{sources}\ntasks: [gsm8k]\nbudget: {{evaluations: 8}}\n"
    )
    assert "key 'sources' has 5,000 entries" in _refusal(load_recipe, tmp_path / "recipe.yaml")
