"""Downloads from a hub: progress is told, and what was broken off goes on from where it stood."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from evomerge_tui.cli.main import main
from support.loopback_hub import Hub, Sparse, safetensors_file, serve

SIZE = 48 * 2**20
WEIGHTS = safetensors_file({"weight": (SIZE // 2,)})


@pytest.fixture
def hub() -> Iterator[Hub]:
    files = {"config.json": b"{}", "model.safetensors": WEIGHTS, "model.gguf": Sparse(b"GGUF", SIZE)}
    with serve(Hub({"owner/model": files})) as served:
        yield served


def start(hub: Hub, home: Path, *words: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    environment |= {"HF_ENDPOINT": hub.address, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"}
    line = [sys.executable, "-m", "evomerge_tui", "download", *words, "--json"]
    return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def lines(stream: IO[str] | None) -> Iterator[dict[str, int | str]]:
    assert stream is not None
    for line in stream:
        yield json.loads(line)


def test_a_killed_download_continues_from_where_it_stood(hub: Hub, tmp_path: Path) -> None:
    hub.pause = 0.05
    first = start(hub, tmp_path, "owner/model")
    for said in lines(first.stdout):
        if int(said["done"]) > SIZE // 4:
            break
    first.kill()
    first.wait()
    hub.pause = 0.0
    hub.requests.clear()
    second = start(hub, tmp_path, "owner/model")
    told = list(lines(second.stdout))
    assert second.wait() == 0
    (asked,) = [line for line in hub.requests if line.startswith("GET") and "model.safetensors" in line]
    found = re.search(r"bytes=(\d+)-", asked)
    assert found is not None
    assert int(found[1]) > SIZE // 8
    weights = Path(str(told[-1]["folder"])) / "model.safetensors"
    assert weights.stat().st_size == WEIGHTS.size
    assert weights.read_bytes()[: len(WEIGHTS.start)] == WEIGHTS.start
    progress = [int(said["done"]) for said in told[:-1]]
    assert progress == sorted(progress)
    assert progress[-1] == WEIGHTS.size + 2
    assert not list(weights.parent.glob("*.gguf"))


def test_a_line_that_breaks_is_taken_up_again(hub: Hub, tmp_path: Path) -> None:
    hub.cut["model.safetensors"] = [11 * 2**20]
    process = start(hub, tmp_path, "owner/model")
    told = list(lines(process.stdout))
    assert process.wait() == 0
    assert (Path(str(told[-1]["folder"])) / "model.safetensors").stat().st_size == WEIGHTS.size


def test_what_the_hub_has_not_is_reported_in_one_line(hub: Hub, tmp_path: Path) -> None:
    process = start(hub, tmp_path, "owner/absent")
    _, said = process.communicate()
    assert process.returncode == 2
    assert said.startswith("error: owner/absent: neither a folder here nor a public model on the hub")
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", ["nosuchmodel", "./owner/name", "no such/model"])
def test_a_folder_that_is_not_there_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", name]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"error: {name}: no such folder; check the path; a hub id has the form owner/name\n"
