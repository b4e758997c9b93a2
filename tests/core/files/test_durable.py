"""Small files are written whole, flushed before they have their name, and a full disk is one line."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.files.durable import write_whole
from evomerge_core.files.full_disk import FullDisk, disk_of, full_disk, is_full


def test_a_file_is_flushed_before_it_has_its_name_and_its_folder_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def flush(handle: int) -> None:
        done.append("folder" if Path(f"/proc/self/fd/{handle}").resolve().is_dir() else "file")
        fsync(handle)

    def rename(source: Path, target: Path) -> None:
        done.append("name")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "replace", rename)
    write_whole(tmp_path / "inner" / "file", "text")
    assert done == ["file", "name", "folder"]
    assert (tmp_path / "inner" / "file").read_text() == "text"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def full(_: int) -> None:
        raise OSError(code, os.strerror(code))

    path = tmp_path / "file"
    path.write_text("before")
    monkeypatch.setattr(os, "fsync", full)
    said = rf"^{disk_of(tmp_path)} is full: {path} needs about 2 kB; free some space, then do it again$"
    with pytest.raises(FullDisk, match=said):
        write_whole(path, "x" * 2000, then="do it again")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"can't be written \(Not a directory|File exists\)"):
        write_whole(tmp_path / "file" / "inner", "text")


def test_what_a_killed_process_left_goes_and_a_living_one_keeps_its_own(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, living = tmp_path / f".file.{ended.pid}-abcd", tmp_path / f".file.{os.getpid()}-abcd"
    others = tmp_path / f".file2.{ended.pid}-abcd"
    for part in (left, living, others):
        part.write_text("half")
    write_whole(tmp_path / "file", "text")
    assert {path.name for path in tmp_path.iterdir()} == {"file", living.name, others.name}


def test_only_a_full_disk_is_full(tmp_path: Path) -> None:
    assert is_full(OSError(errno.ENOSPC, "x"))
    assert not is_full(OSError(errno.EIO, "x"))
    assert not is_full(ValueError())
    assert "needs about 5 GB" in str(full_disk(tmp_path, 5_000_000_000))
    assert disk_of(Path("/nowhere/at/all")) == Path("/")
