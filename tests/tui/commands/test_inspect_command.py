"""`inspect models/*` describes all that can be read, says what can't, and ends with status 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evomerge_tui.cli.main import main
from support.tiny_run import save_model


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    save_model(tmp_path / "a", 1)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "config.json").write_text("{ broken")
    save_model(tmp_path / "c", 2)
    return [str(tmp_path / name) for name in "abc"]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (0, 2, 1)])
def test_a_bad_one_hides_no_other(order: tuple[int, ...], models: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    named = [models[number] for number in order]
    assert main(["inspect", *named, "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert {facts["reference"] for facts in told["models"]} == {models[0], models[2]}
    assert not told["mergeable"]
    assert [line for line in told["refusals"] if models[1] in line]
    assert main(["inspect", *named]) == 2
    shown = capsys.readouterr().out.replace("\n", "")
    assert "config.json" in shown
    assert "LlamaForCausalLM" in shown or "llama" in shown.casefold()


def test_all_bad_ones_are_named(models: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", models[1], str(Path(models[0]).parent / "nowhere"), "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["models"] == []
    assert len(told["refusals"]) == 2


def test_one_alone_is_an_error_as_ever(models: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", models[1]]) == 2
    assert capsys.readouterr().err.startswith("error: ")
