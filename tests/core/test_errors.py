"""An input error is one line, and its parts can be read apart."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from evomerge_core.errors import InputError, unknown_name


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("is empty"), "is empty"),
        (InputError("is empty", where=Path("a.yaml")), "a.yaml: is empty"),
        (InputError("is empty", remedy="write something"), "is empty; write something"),
        (InputError("is empty", where="a.yaml:3", remedy="write something"), "a.yaml:3: is empty; write something"),
    ],
)
def test_the_line_says_where_what_and_what_to_do(error: InputError, line: str) -> None:
    assert str(error) == line


def test_the_parts_stay_apart_and_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(InputError("is: empty; really", where="a.yaml", remedy="write: something")))
    assert (error.where, error.problem, error.remedy) == ("a.yaml", "is: empty; really", "write: something")
    assert error.fault == "a.yaml: is: empty; really"


def test_a_place_can_be_put_around_an_error() -> None:
    assert str(InputError("is empty", remedy="fill it").within("first")) == "first: is empty; fill it"
    assert str(InputError("is empty", where="ties").within("first")) == "first: ties: is empty"


def test_an_unknown_name_is_answered_with_the_nearest_or_with_all() -> None:
    assert str(unknown_name("method", "tise", ["slerp", "ties"])) == "unknown method 'tise'; did you mean 'ties'?"
    error = unknown_name("method", "zzz", ["ties", "slerp"], where="merge_method")
    assert (error.where, error.remedy) == ("merge_method", "known: slerp, ties")


def test_an_error_names_what_the_user_knows() -> None:
    error = InputError("can't be written", where="/run/.x/Q8_0.part", remedy="remove /run/.x/Q8_0.part")
    known = error.naming({"/run/.x/Q8_0.part": "/run/out.gguf", "/run/.x": "/run"})
    assert str(known) == "/run/out.gguf: can't be written; remove /run/out.gguf"
