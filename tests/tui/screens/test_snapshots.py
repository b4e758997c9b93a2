"""Every screen looks as it did: at two sizes, dark and light as pictures; in the terminal's own colours and in none as text.

`UPDATE_SNAPSHOTS=1 pytest tests/tui/screens/test_snapshots.py` takes them anew; look at what changed before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.pictured import SCREENS, SIZES, picture, prepare
from support.svg_text import difference, normalised

pytestmark = pytest.mark.anyio
SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE = "UPDATE_SNAPSHOTS" in os.environ


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SCREENS)
async def test_a_screen_looks_as_it_did(
    name: str, size: str, theme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    svg, _, _ = await picture(tmp_path, name, SIZES[size], theme)
    path = SNAPSHOTS / f"{name}-{size}-{theme}.svg"
    if UPDATE:
        path.write_text(normalised(svg), encoding="utf-8")
    assert not difference(path.read_text(encoding="utf-8"), svg), difference(path.read_text(encoding="utf-8"), svg)


@pytest.mark.parametrize("mode", ["ansi", "no-colour"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SCREENS)
async def test_a_screen_reads_as_it_did(
    name: str, size: str, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With few colours or none the words are all there; no picture is kept, the colours are those of the terminal."""
    prepare(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    if mode == "no-colour":
        monkeypatch.setenv("NO_COLOR", "1")
    _, text, colours = await picture(tmp_path, name, SIZES[size], "ansi")
    path = SNAPSHOTS / f"{name}-{size}-plain.txt"
    if UPDATE:
        path.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == path.read_text(encoding="utf-8")
    if mode == "no-colour":
        assert colours <= {"default"}
    else:
        assert not any(colour.startswith("#") for colour in colours), "a colour that a terminal of sixteen colours lacks"
