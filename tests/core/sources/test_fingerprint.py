from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.sources.source import open_source
from evomerge_core.sources.stored import fingerprint


def test_every_file_that_is_read_has_its_sha256(pristine: Path) -> None:
    expected = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in pristine.iterdir()}
    assert open_source(str(pristine), relative_to=Path()).fingerprints() == expected


@pytest.fixture
def small_is_big(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "REMEMBERED_FROM_BYTES", 1)
    monkeypatch.setattr(fingerprint, "user_cache_path", lambda _: tmp_path / "cache")


@pytest.mark.usefixtures("small_is_big")
def test_a_big_file_is_hashed_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"first")
    first = hashlib.sha256(b"first").hexdigest()
    assert fingerprint.sha256_of(path) == first
    with monkeypatch.context() as patch:
        patch.setattr(fingerprint, "hash_file", lambda _: pytest.fail("hashed twice"))
        assert fingerprint.sha256_of(path) == first
    path.write_bytes(b"other")
    os.utime(path, ns=(0, 12345))
    assert fingerprint.sha256_of(path) == hashlib.sha256(b"other").hexdigest()


@pytest.mark.usefixtures("small_is_big")
def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    path = tmp_path / "weights"
    path.write_bytes(b"first")
    assert fingerprint.sha256_of(path) == hashlib.sha256(b"first").hexdigest()


def test_a_missing_file_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        fingerprint.sha256_of(tmp_path / "absent")
