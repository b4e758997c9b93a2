"""Nothing is written but what we write: no library's warnings, logs or progress bars, in no command and in no job's log."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.command_line import command
from support.gguf_models import make_model

Finished = tuple[Path, "subprocess.CompletedProcess[str]"]
COMMANDS = [
    ["doctor"],
    ["recipes"],
    ["preflight", "recipe.yaml"],
    ["preflight", "recipe.yaml", "--measure"],
    ["inspect", "base", "first"],
    ["try", "recipe.yaml"],
    ["status", "run"],
    ["report", "run", "--out", "report"],
    ["candidate", "run", "first"],
    ["merge", "run/winner/mergekit_config.yml", "merged"],
]


def test_a_jobs_log_is_empty(finished: Finished) -> None:
    assert (finished[0] / "job.log").read_text() == ""


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_writes_nothing_to_standard_error(words: list[str], finished: Finished) -> None:
    done = command(*words, cwd=finished[0].parent)
    assert done.stderr == ""
    assert done.returncode in (0, 1)


def test_export_and_chat_write_nothing_to_standard_error(tmp_path: Path, converter: Path) -> None:
    model = make_model(tmp_path / "model")
    made = command("export", model, "--type", "F16", "--out", tmp_path / "file.gguf", "--converter", converter)
    assert (made.returncode in (0, 1), made.stderr) == (True, "")
    (file,) = tmp_path.glob("*.gguf")
    said = command("chat", file, "--prompt", "one", "--max-tokens", 4)
    assert (said.returncode, said.stderr) == (0, "")


def test_a_task_that_there_isnt_is_reported_in_one_line(finished: Finished) -> None:
    pytest.importorskip("lm_eval", reason="needs the extra `harness`")
    done = command("harness", finished[0].parent / "base", "nosuchtask")
    assert done.returncode == 2
    assert done.stderr.startswith("error: harness: ")
    assert "nosuchtask" in done.stderr
    assert done.stderr.count("\n") == 1
