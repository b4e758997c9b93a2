"""Vision-language models from the command line: what is done, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evomerge_tui.cli.main import main
from support.vision_models import write_text_model, write_vision_model

RECIPE = """
evomerge: 1
name: eyes
base: ./{base}
sources:
  - {{name: A, model: ./{first}}}
  - {{name: B, model: ./{second}}}
tasks:
  - {{name: sums, file: sums.jsonl, scorer: exact, prompt: "{{question}}", gold: "{{answer}}"}}
splits: {{search: 2, validation: 2, test: 2}}
budget: {{evaluations: 10}}
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_vision_model(folder / "eyes", "smolvlm")
    write_text_model(folder / "text", "smolvlm")
    write_text_model(folder / "second", "smolvlm", seed=3)
    write_text_model(folder / "other", "llava-next")
    lines = [json.dumps({"question": f"w{row} w{row + 1}", "answer": f"w{row}"}) for row in range(12)]
    (folder / "sums.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def recipe(models: Path, **named: str) -> Path:
    path = models / "recipe.yaml"
    path.write_text(RECIPE.format(**named), encoding="utf-8")
    return path


def test_inspect_tells_what_sees_and_what_fits(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(models / "eyes"), str(models / "text"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["mergeable"]
    assert told["models"][0]["vision"]["family"] == "SmolVLM"
    assert told["models"][1]["vision"] is None
    assert main(["inspect", str(models / "eyes"), str(models / "other")]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "eyes: family SmolVLM" in shown
    assert "model_type is 'mistral', but 'llama'" in shown


@pytest.mark.parametrize(
    "named", [{"base": "eyes", "first": "text", "second": "second"}, {"base": "text", "first": "eyes", "second": "second"}]
)
def test_a_run_is_refused_in_one_line(named: dict[str, str], models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(recipe(models, **named)), "--out", str(models / "run")]) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    assert "a run can't score SmolVLM yet, which reads pictures" in said
    assert not (models / "run").exists()


def test_an_export_is_refused_in_one_line(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(models / "eyes")]) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    assert "reads pictures, and such a model can't be exported yet" in said


def test_the_preflight_says_so_before(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["preflight", str(recipe(models, base="eyes", first="text", second="second")), "--json"])
    told = capsys.readouterr().out
    assert "a run can't score SmolVLM yet" in told
