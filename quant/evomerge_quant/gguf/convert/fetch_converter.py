"""Takes llama.cpp's converter out of llama-cpp-python's source package, downloaded with pip and checked by its hash."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from evomerge_core.errors import InputError
from evomerge_core.files.child_environment import without_token

# pip checks these before it runs anything of the package; for other versions it checks the hash that the index states.
KNOWN_SHA256 = {"0.3.36": "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"}
_INSIDE = ("vendor", "llama.cpp")
_WANTED = ("convert_hf_to_gguf.py", "conversion", "gguf-py", "LICENSE")
_REMEDY = "connect to the network once, or give a llama.cpp checkout with --converter DIR"


def fetch_converter(release: str, folder: Path) -> None:
    """Downloads the source package of that version and unpacks its converter as `folder`, whole or not at all."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".converter-", dir=folder.parent) as place:
            archive = _download(release, Path(place))
            unpack(archive, Path(place) / "llama.cpp")
            if folder.exists():
                shutil.rmtree(folder)
            (Path(place) / "llama.cpp").rename(folder)
    except OSError as error:
        raise InputError(f"{folder}: can't be written ({error.strerror}): free space, or give --converter DIR") from None


def unpack(archive: Path, folder: Path) -> None:
    """Writes the converter's files, and nothing outside of `folder`.

    InputError for an archive that is damaged, holds no converter, or has a path or link that leads outside.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                target = _place_of(member)
                if target is not None:
                    _write(tar, member, folder / target)
    except (tarfile.TarError, EOFError, UnicodeError) as error:
        raise InputError(f"{archive.name}: damaged ({error}): {_REMEDY}") from None
    if not folder.is_dir():
        raise InputError(f"{archive.name}: holds no converter under vendor/llama.cpp: give one with --converter DIR")


def _place_of(member: tarfile.TarInfo) -> Path | None:
    """Where a member goes below the converter's folder; None for what isn't part of it."""
    parts = PurePosixPath(member.name).parts
    if parts[1:3] != _INSIDE or len(parts) < 4 or parts[3] not in _WANTED or member.isdir():
        return None
    inner = parts[3:]
    if not member.isreg() or any(part in ("..", "") or "\\" in part or ":" in part for part in inner):
        raise InputError(
            f"{member.name}: a link, or a path that leads outside, in llama-cpp-python's source package: {_REMEDY}"
        )
    return Path(*inner)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = tar.extractfile(member)
    assert source is not None  # regular files only
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("wb") as file:
        shutil.copyfileobj(source, file)


def _download(release: str, place: Path) -> Path:
    known = KNOWN_SHA256.get(release)
    wanted = place / "requirements.txt"
    wanted.write_text(f"llama-cpp-python=={release}" + (f" --hash=sha256:{known}\n" if known else "\n"), encoding="utf-8")
    # -P: the working folder may hold a stranger's pip.py.
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--retries", "1", "--timeout", "20", "--no-binary", "llama-cpp-python"]
    command += ["-r", str(wanted), "-d", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, env={**without_token(), "PIP_NO_COLOR": "1"}, check=False)
    archives = sorted(place.glob("llama_cpp_python-*.tar.gz"))
    if done.returncode != 0 or not archives:
        raise InputError(
            f"llama.cpp's converter for llama-cpp-python {release} can't be downloaded ({_reason(done.stderr)}): {_REMEDY}"
        )
    if known and hashlib.sha256(archives[0].read_bytes()).hexdigest() != known:
        raise InputError(f"{archives[0].name}: isn't the known file (its sha256 differs): {_REMEDY}")
    return archives[0]


def _reason(output: str) -> str:
    """The line of pip's output that says why."""
    if "DO NOT MATCH THE HASHES" in output:
        return "the file's sha256 differs from the known one"
    if "No module named pip" in output:
        return "pip isn't installed"
    errors = [line.removeprefix("ERROR: ") for line in output.splitlines() if line.startswith("ERROR: ")]
    if any("from versions: none" in line for line in errors):
        return "the package index can't be reached"
    return errors[-1] if errors else "pip failed"
