"""`evomerge-tui chat`: one answer for scripts, a conversation for people, two models side by side."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import sys
import time
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from llama_cpp import Llama

from evomerge_core.run.store.store import Store
from evomerge_quant.gguf.subject.export_paths import candidate_exports, winner_exports
from evomerge_tui.cli.main import main
from support.command_line import command
from support.tiny_gguf import save_folder, write_gguf

# A random model at this heat writes every byte there is.
HOT = ("--temperature", "9", "--top-k", "0", "--top-p", "1", "--min-p", "0", "--max-tokens", "150", "--seed", "3")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, `endless.gguf`, whose answers don't end soon, and `other.gguf`."""
    place = tmp_path_factory.mktemp("talk")
    for name, seed in (("endless", 3), ("other", 0)):
        write_gguf(save_folder(place / name, seed=seed), place / f"{name}.gguf")
    return place


@pytest.fixture
def run(models: Path, tmp_path: Path) -> Path:
    """A run's folder with a store, its winner's files and a parent's."""
    folder = tmp_path / "run"
    folder.mkdir()
    store = Store(folder / "run.db", create=True)
    store.add_candidate("parent", "the parent")
    store.add_candidate("parent", "another")
    store.close()
    for place, source in ((winner_exports(folder), "endless"), (candidate_exports(folder, "the parent"), "other")):
        place.mkdir(parents=True)
        shutil.copy(models / f"{source}.gguf", place / "model-Q8_0.gguf")
    return folder


def told(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["chat", *(str(word) for word in words), "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    found: dict[str, Any] = json.loads(said.out)
    return found


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert main(["chat", *(str(word) for word in words)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    return said.err


def test_json_is_one_object_with_the_answer(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = models / "endless.gguf"
    found = told(capsys, file, "--prompt", "the cat", "--system", "be brief", "--temperature", "0", "--max-tokens", "12")
    theirs = Llama(str(file), n_ctx=256, verbose=False)
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "the cat"}]
    made = theirs.create_chat_completion(messages, temperature=0.0, max_tokens=12, repeat_penalty=1.0)
    theirs.close()
    wanted = made["choices"][0]["message"]["content"]
    assert wanted.startswith(found["answer"].replace("\ufffd", ""))
    assert found["prompt_tokens"] == made["usage"]["prompt_tokens"]
    assert (found["tokens"], found["stopped_by"], found["trimmed_turns"]) == (12, "max_tokens", 0)
    assert found["tokens_per_second"] > 0
    assert found["file"] == str(file)


def test_compare_puts_the_same_prompt_to_the_other(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--prompt", "the cat", "--temperature", "0", "--max-tokens", "12")
    both = told(capsys, models / "endless.gguf", "--compare", models / "other.gguf", *words)
    for found, name in ((both, "endless"), (both["compared"], "other")):
        alone = told(capsys, models / f"{name}.gguf", *words)
        assert found["answer"] == alone["answer"]
        assert found["file"] == alone["file"]


def test_a_run_is_its_winners_best_sound_file(run: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    best = winner_exports(run) / "model-F16.gguf"
    best.write_bytes((models / "endless.gguf").read_bytes() + bytes(64))
    suspect = winner_exports(run) / "model-BF16.suspect.gguf"
    suspect.write_bytes(best.read_bytes() + bytes(64))
    assert told(capsys, run, "--prompt", "hi", "--max-tokens", "2")["file"] == str(best)


def test_a_parent_is_found_by_its_label(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, run, "--compare", "the parent", "--prompt", "hi", "--max-tokens", "2")
    assert found["compared"]["file"] == str(candidate_exports(run, "the parent") / "model-Q8_0.gguf")
    assert f"evomerge-tui export {run} --candidate another" in refused(capsys, run, "--compare", "another", "--prompt", "hi")
    assert "did you mean 'another'?" in refused(capsys, run, "--compare", "anothr", "--prompt", "hi")


def test_a_run_without_files_says_how_to_make_one(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(winner_exports(run))
    assert f"`evomerge-tui export {run}`" in refused(capsys, run, "--prompt", "hi")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("absent.gguf", "--prompt", "hi"), "absent.gguf"),
        (("FILE", "--json"), "--prompt"),
        (("FILE", "--prompt", "hi", "--temperature", "-1"), "temperature"),
        (("FILE", "--prompt", "hi", "--context", "0"), "--context"),
        (("FILE", "--prompt", "x y z " * 2000), "shorten"),
    ],
)
def test_bad_input_is_one_line(words: tuple[str, ...], named: str, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(models / "endless.gguf") if word == "FILE" else word for word in words]
    capsys.readouterr()
    assert main(["chat", *given]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert named in said.err


def test_no_control_character_reaches_the_terminal(models: Path) -> None:
    words = ("chat", models / "endless.gguf", "--prompt", "hi", *HOT)
    raw = json.loads(command(*words, "--json").stdout)["answer"]
    assert len({c for c in raw if c < " "} - {"\n", "\t"}) > 5  # else this test says nothing
    shown = command(*words).stdout
    assert [c for c in shown if unicodedata.category(c) == "Cc" and c != "\n"] == []


def test_a_prompt_can_come_through_a_pipe_and_lines_make_a_conversation(models: Path) -> None:
    import subprocess

    def talk(*words: str, typed: str) -> str:
        line = [sys.executable, "-m", "evomerge_tui", "chat", str(models / "endless.gguf"), "--temperature", "0",
                "--max-tokens", "6", *words]  # fmt: skip
        done = subprocess.run(line, input=typed, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout

    once = talk("--prompt", "the cat", typed="")
    assert talk("--prompt", "-", typed="the cat") == once
    several = talk(typed="the cat\n/settings max_tokens 3\n/settings speed 3\n/clear\n/system be brief\n/nonsense\nthe cat\n")
    assert once.strip() in several
    assert "max_tokens 3" in several
    assert "speed: is not a setting" in several
    assert "cleared" in several
    assert "unknown command '/nonsense'" in several


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_ctrl_c_stops_the_answer_and_ctrl_d_the_chat(models: Path) -> None:
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm", COLUMNS="80", LINES="24")
        line = [sys.executable, "-m", "evomerge_tui", "chat", str(models / "endless.gguf"), "--context", "256",
                "--temperature", "9", "--top-k", "0", "--min-p", "0", "--top-p", "1", "--max-tokens", "100000"]  # fmt: skip
        os.execv(sys.executable, line)
    try:
        wait_for(terminal, "> ")
        for _ in range(3):  # a random answer may end by itself before it is stopped
            os.write(terminal, b"the cat\n")
            wait_for(terminal, "the cat\r?\n[^>]")
            os.write(terminal, b"\x03")
            said = wait_for(terminal, "tokens/s.*> ")
            if "stopped" in said:
                break
        os.write(terminal, b"/clear\n")
        wait_for(terminal, "cleared.*> ")
        os.write(terminal, b"\x04")
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0
    finally:
        os.close(terminal)


def wait_for(terminal: int, pattern: str, seconds: float = 60) -> str:
    """What the terminal shows until the pattern is there."""
    said = ""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            said += os.read(terminal, 4096).decode(errors="replace")
        if re.search(pattern, said, re.DOTALL):
            return said
    raise AssertionError(f"{pattern!r} was not shown: {said!r}")


def test_two_loadedstand_side_by_side_on_a_wide_terminal_and_one_below_the_other_on_a_narrow_one(models: Path) -> None:
    import io

    from rich.console import Console

    from evomerge_quant.chat.chat import open_chat
    from evomerge_quant.chat.conversation import Conversation
    from evomerge_quant.chat.sampling import Sampling
    from evomerge_tui.cli.output.terminal_chat import ask
    from evomerge_tui.talk.loaded_model import LoadedModel

    def show(width: int) -> list[str]:
        shown = io.StringIO()
        console = Console(file=shown, force_terminal=True, width=width, color_system=None)
        sampling = Sampling(temperature=0, max_tokens=8)
        with open_chat(models / "endless.gguf") as first, open_chat(models / "other.gguf") as second:
            loaded = [LoadedModel(n, c, Conversation.begin(None), sampling) for n, c in (("child", first), ("parent", second))]
            answers = ask(loaded, "the cat", console)
        assert [len(model.conversation.messages) for model in loaded] == [2, 2]
        assert all(answer.reply.tokens for answer in answers)
        return shown.getvalue().splitlines()

    assert any("child" in line and "parent" in line for line in show(120))
    assert not any("child" in line and "parent" in line for line in show(80))
