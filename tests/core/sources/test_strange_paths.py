"""Text that can't be a path ends in one line wherever a file names a path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.sources.confinement import absolute_path, absolute_reference
from evomerge_core.sources.resolve import split_reference

STRANGE = ["a" * 300, "a/" * 3000, "/" + "é" * 200, "x\0y", "~nobody-of-that-name/x", "a+" + "b" * 300]


@pytest.mark.parametrize("text", STRANGE)
@pytest.mark.parametrize("read", [absolute_path, absolute_reference, split_reference])
def test_what_cannot_be_a_path_is_one_line(tmp_path: Path, read: Callable[[str, Path], object], text: str) -> None:
    try:
        read(text, tmp_path)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - some are references of another kind
