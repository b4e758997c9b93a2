"""Without llama-cpp-python, the extra `gguf`: what needs it says so at once, in one line, and the rest works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.tiny_gguf import save_folder, write_gguf

# Python runs it at its start, in this process and in those that it starts.
_WITHOUT = """
import importlib.metadata, sys

real = importlib.metadata.version

def version(name):
    if name == "llama-cpp-python":
        raise importlib.metadata.PackageNotFoundError(name)
    return real(name)

importlib.metadata.version = version
sys.modules["llama_cpp"] = None
"""


def without_llama(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    site = folder.parent / f"{folder.name}-site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_WITHOUT)
    command, environment = [sys.executable, "-m", "evomerge_tui", *arguments], {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [["quickstart"], ["chat", "child.gguf", "--prompt", "hello"]], ids=["quickstart", "chat"])
def test_what_needs_it_names_it_before_anything_is_made(tmp_path: Path, arguments: list[str]) -> None:
    save_folder(tmp_path / "model")
    write_gguf(tmp_path / "model", tmp_path / "child.gguf")
    done = without_llama(tmp_path, *arguments)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert "llama-cpp-python" in line
    assert "pip install" in line
    assert {path.name for path in tmp_path.iterdir()} == {"child.gguf", "model"}


def test_the_rest_works(tmp_path: Path) -> None:
    done = without_llama(tmp_path, "recipes")
    assert (done.returncode, done.stderr) == (0, "")
