"""Nothing that a file or a model says reaches a terminal as a command to it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.table import Table

from evomerge_tui.cli.main import main
from evomerge_tui.terminal.guarded_output import guarded_output
from evomerge_tui.terminal.safe_console import SafeConsole
from support.source_models import change_config, write_model, write_tokenizer

EVIL = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b1m\u202e[red]x[/red]"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_model(tmp_path_factory.mktemp("models") / "model")
    return write_tokenizer(folder, [f"t{number}" for number in range(40)])


def _chat_template(folder: Path) -> None:
    template = "{{ raise_exception('" + EVIL + "') }}"
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template, "eos_token": EVIL}))


CHANGES: dict[str, Callable[[Path], object]] = {
    "model_type": lambda folder: change_config(folder, model_type=f"llama{EVIL}"),
    "architectures": lambda folder: change_config(folder, architectures=[EVIL]),
    "quantization_config": lambda folder: change_config(folder, quantization_config={"quant_method": EVIL}),
    "rope": lambda folder: change_config(folder, rope_scaling={"rope_type": "default", EVIL: EVIL, "factor": 2.0}),
    "activation": lambda folder: change_config(folder, hidden_act=EVIL),
    "heads": lambda folder: change_config(folder, num_attention_heads=EVIL),
    "template": _chat_template,
    "licence": lambda folder: (folder / "README.md").write_text(f"---\nlicense: {json.dumps(EVIL)}\n---\n"),
    "index": lambda folder: _index(folder),
}


def _index(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {EVIL: f"../{EVIL}"}}))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("as_json", [False, True], ids=["table", "json"])
def test_inspect_shows_it_as_text(
    change: str, as_json: bool, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(sound, tmp_path / "model"))
    CHANGES[change](folder)
    status = main(["inspect", str(folder), *(["--json"] if as_json else [])])
    said = capsys.readouterr()
    assert status in (0, 2)
    assert _commands(said.out) == _commands(said.err) == set()
    if as_json:
        json.loads(said.out.splitlines()[-1])


def test_a_folder_of_such_a_name_is_named_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(tmp_path / EVIL.replace("/", "_"))]) == 2
    assert _commands(capsys.readouterr().err) == set()


def test_printed_lines_and_tables_are_text_and_colours_stay(capsys: pytest.CaptureFixture[str]) -> None:
    with guarded_output():
        sys.stdout.write(f"{EVIL}\n")
        sys.stderr.write(f"error: {EVIL}\n")
        table = Table(f"[red]x[/red]{EVIL}", title=f"[red]x[/red]{EVIL}")
        table.add_row(f"[red]x[/red]{EVIL}")
        SafeConsole().print(table)
    said = capsys.readouterr()
    assert _commands(said.out) == _commands(said.err) == set()
    # Markup in a name stays part of the name.
    assert said.out.count("[red]x[/red]") >= 4


def test_a_terminal_still_gets_rich_s_own_colours(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with guarded_output():
        SafeConsole().print(EVIL, style="red")
    assert capsys.readouterr().out.count("\x1b[31m") >= 1


def test_streams_are_given_back() -> None:
    before = sys.stdout, sys.stderr
    with guarded_output():
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr) == before


def _commands(text: str) -> set[str]:
    return {sign for sign in text if sign not in "\n\t" and (sign < " " or "\x7f" <= sign < "\xa0" or sign == "\u202e")}
