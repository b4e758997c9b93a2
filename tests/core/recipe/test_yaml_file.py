"""YAML files: lines of keys, duplicates, numbers, lossless writing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from evomerge_core.errors import InputError
from evomerge_core.files.yaml_file import dump_yaml, parse_documents, parse_yaml, read_yaml

PATH = Path("some.yaml")

_words = st.text(st.characters(exclude_categories=["C"], include_characters="\n\t"), max_size=60)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_words.filter(lambda word: word != "<<"), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abcdef", min_size=1), _values, min_size=1))
def test_what_is_written_reads_back_equal(data: dict[str, object]) -> None:
    assert parse_yaml(dump_yaml(data), PATH).data == data


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_every_digit_for_other_yaml_readers_too(value: float) -> None:
    assert yaml.safe_load(dump_yaml({"value": value})) == {"value": value}


@pytest.mark.parametrize(
    ("text", "value"), [("1e-5", 1e-5), ("2E3", 2000.0), ("1.5e-05", 1.5e-5), ("'1e-5'", "1e-5"), (".5", 0.5)]
)
def test_exponents_are_numbers_with_or_without_a_dot(text: str, value: object) -> None:
    assert parse_yaml(f"value: {text}", PATH).data == {"value": value}


def test_every_key_and_item_knows_its_line() -> None:
    file = parse_yaml("a: 1\nb:\n  - x: 1\n  - y:\n      z: 2\n", PATH)
    assert file.lines == {
        (): 1,
        ("a",): 1,
        ("b",): 2,
        ("b", 0): 3,
        ("b", 0, "x"): 3,
        ("b", 1): 4,
        ("b", 1, "y"): 4,
        ("b", 1, "y", "z"): 5,
    }
    assert file.line(("b", 1, "missing", "deeper")) == 4


def test_merge_keys_and_aliases_are_filled_in() -> None:
    file = parse_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\n", PATH)
    assert file.data == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", "some.yaml:3: key 'a' is given twice, first in line 1; keep one"),
        ("a: {b: [1, 2}\n", "some.yaml:1: not valid YAML: "),
        ("a: 1\n b: 2\n", "some.yaml:2: not valid YAML: "),
        ("- 1\n", "some.yaml:1: the file holds no keys"),
        ("", "some.yaml:1: the file holds no keys"),
        ("a: 1\n---\nb: 2\n", "some.yaml:3: another YAML document begins here; put each into a file of its own"),
        ("a: !!int ''\n", "some.yaml:1: can't read the value"),
        ("a: !!bool maybe\n", "some.yaml:1: can't read the value"),
        ("a: !!timestamp noon\n", "some.yaml:1: can't read the value"),
        ('a: "\\ud800"\n', "some.yaml:1: '\\ud800' holds half a character"),
        ('"\\ud800": 1\n', "some.yaml:1: a key must be a word"),
        ("a: " + 5000 * "[", "some.yaml: lists and mappings are nested too deeply"),
        ("a: !!python/object:os.system x\n", "some.yaml:1: can't read the value"),
        ("a: &a\n  b: *a\n", "some.yaml:1: an alias points to its own parent"),
        ("? [1]\n: 2\n", "some.yaml:1: a key must be a word"),
        ("a: 2024-13-45\n", "some.yaml:1: can't read the value"),
        ("a: {<<: 3}\n", "some.yaml:1: '<<' must point to a mapping"),
        ("a: \x01\n", "some.yaml: not valid YAML: "),
    ],
)
def test_bad_yaml_is_reported_in_one_line_with_its_number(text: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, PATH)
    assert str(caught.value).startswith(problem)
    assert "\n" not in str(caught.value)


def test_documents_are_read_one_by_one_with_the_lines_of_the_file() -> None:
    first, second = parse_documents("---\na: 1\n---\n# none\n---\nb:\n  c: 2\n---\n", PATH)
    assert (first.data, second.data) == ({"a": 1}, {"b": {"c": 2}})
    assert second.lines == {(): 6, ("b",): 6, ("b", "c"): 7}
    with pytest.raises(InputError, match=r"some\.yaml:3: the file holds no keys"):
        parse_documents("a: 1\n---\n- 2\n", PATH)


def test_an_empty_document_at_the_end_is_no_document() -> None:
    assert parse_yaml("a: 1\n---\n", PATH).data == {"a": 1}


def test_a_small_file_cannot_unfold_into_a_huge_one() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{index}: &a{index} [{', '.join([f'*a{index - 1}'] * 10)}]" for index in range(1, 9)]
    with pytest.raises(InputError, match="more than 100000 values"):
        parse_yaml("\n".join(lines), PATH)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    for path, problem in (
        (tmp_path / "none.yaml", "no such file"),
        (tmp_path, "can't be read"),
        (tmp_path / "latin.yaml", "not UTF-8"),
    ):
        with pytest.raises(InputError, match=problem) as caught:
            read_yaml(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_what_has_no_folder_of_its_own_is_refused(name: str) -> None:
    """Its relative paths, and the run's folder, would start from the system's own."""
    with pytest.raises(InputError, match=f"^{name}: is no file of its own; save it as one: "):
        read_yaml(Path(name))
