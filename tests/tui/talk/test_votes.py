"""Votes that a run's folder keeps, whoever has written into their file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from evomerge_tui.talk.votes import keep_vote, new_vote, read_votes

_SOUND = new_vote("2 + 2?", ("a.gguf", "b.gguf"), ("4", "5"), "left", blind=True)
_BROKEN = [
    *(b"", b"{", b"null", b"[]", b"{}", b'"x"', b"7", b"\xff\xfe", b"[" * 20_000),
    *(
        json.dumps({**asdict(_SOUND), **change}).encode()
        for change in (
            {"choice": "nobody"},
            {"choice": ["left"]},
            {"answers": 3},
            {"answers": ["4"]},
            {"answers": ["4", None]},
            {"left": None},
            {"at": "now"},
            {"more": 1},
        )
    ),
]


@pytest.mark.parametrize("line", _BROKEN, ids=range(len(_BROKEN)))
def test_a_line_that_is_no_vote_is_skipped(tmp_path: Path, line: bytes) -> None:
    keep_vote(tmp_path, _SOUND)
    with (tmp_path / "votes.jsonl").open("ab") as file:
        file.write(line + b"\n")
    keep_vote(tmp_path, _SOUND)
    assert read_votes(tmp_path) == [_SOUND, _SOUND]


def test_a_file_that_is_none_or_too_long_holds_no_votes(tmp_path: Path) -> None:
    assert read_votes(tmp_path) == []
    with (tmp_path / "votes.jsonl").open("wb") as file:
        file.truncate(200_000_000)
    assert read_votes(tmp_path) == []
    (tmp_path / "votes.jsonl").unlink()
    (tmp_path / "votes.jsonl").mkdir()
    assert read_votes(tmp_path) == []
