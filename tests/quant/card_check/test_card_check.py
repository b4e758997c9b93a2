"""`doctor --card` on a pretended card, and without any."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from evomerge_core.tasks.evaluator import CandidateError
from evomerge_quant.card_check import check, steps
from evomerge_quant.card_check.generated_models import write_models
from evomerge_quant.card_check.results import CardResult
from evomerge_quant.planning.card_sizes.model_sizes import MODEL_SIZES
from evomerge_quant.resident.out_of_memory import OutOfMemory
from evomerge_tui.cli.main import main
from support.pretended_card import pretended_card

STEPS = {
    "kernels, nf4", "kernels, int5", "kernels, int8", "parity with the CPU, nf4", "parity with the CPU, bf16",
    "merge and load, ties", "merge and load, dare_ties", "merge and load, slerp", "answers, nf4", "answers, bf16",
    "memory, nf4", "memory, bf16", "out of memory, nf4", "export's reference",
}  # fmt: skip


def test_everything_is_tried_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(check, "_NEW_TOKENS", 8)
    monkeypatch.setattr(check, "_ROWS", 4)
    monkeypatch.setattr(check, "_PRECISIONS", ("nf4", "bf16"))
    monkeypatch.setattr(steps, "METHODS", ("ties", "dare_ties", "slerp"))
    with pretended_card(300_000_000):
        status = main(["doctor", "--card", "--size", "tiny"])
    shown = capsys.readouterr().out
    report: dict[str, Any] = json.loads((tmp_path / "card-report.json").read_text())
    results = {result["subject"]: result for result in report["results"]}
    assert {*results} >= STEPS
    assert {result["state"] for result in results.values()} == {"ok"}, shown
    assert status == 0
    assert report["passed"]
    assert results["kernels, nf4"]["figures"]["same_codes"] == 1.0
    assert results["parity with the CPU, bf16"]["figures"]["nats_a_token"] < 1e-3
    assert all(subject in shown for subject in STEPS)
    assert [path.name for path in tmp_path.iterdir()] == ["card-report.json"]  # the models are gone


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (CandidateError("logits hold NaN or Inf"), "bad"),
        (RuntimeError("an illegal memory access was encountered"), "bad"),
        (torch.OutOfMemoryError("CUDA out of memory"), "skipped"),
        (OutOfMemory("no room"), "skipped"),
    ],
)
def test_what_fails_is_bad_and_only_want_of_memory_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, state: str
) -> None:
    def failing(*_: object) -> Iterator[CardResult]:
        yield CardResult("before", "ok", "", {})
        raise error

    monkeypatch.chdir(tmp_path)
    for name in ("kernels", "parity", "candidates", "speed", "peak_memory", "out_of_memory", "export_reference"):
        monkeypatch.setattr(steps, name, failing)
    with pretended_card(300_000_000):
        status = main(["doctor", "--card", "--size", "tiny"])
    report: dict[str, Any] = json.loads((tmp_path / "card-report.json").read_text())
    states = [result["state"] for result in report["results"]]
    assert states == ["ok", state] * (len(states) // 2)
    assert report["passed"] is (state == "skipped")
    assert (status == 0) is (state == "skipped")


def test_without_a_card_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["doctor", "--card"]) == 2
    assert "no CUDA device" in capsys.readouterr().err


def test_an_unknown_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pretended_card():
        assert main(["doctor", "--card", "--size", "7c"]) == 2
    assert "unknown size '7c'; known: 0.5b, 1.5b" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--size", "7b"], ["--out", "report.json", "--fits"]])
def test_what_is_for_the_card_alone_is_refused_elsewhere(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *words]) == 2
    assert f"{words[0]}: it is for --card alone" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_said_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pretended_card():
        assert main(["doctor", "--card", "--size", "tiny", "--out", str(tmp_path)]) == 2
    assert f"{tmp_path}: is a folder" in capsys.readouterr().err


def test_generated_models_are_models(tmp_path: Path) -> None:
    base, first, second = write_models(tmp_path, MODEL_SIZES["tiny"])
    models = [AutoModelForCausalLM.from_pretrained(folder) for folder in (base, first, second)]
    ids = torch.tensor([[11, 12, 13]])
    logits = [model(ids).logits for model in models]
    assert all(bool(one.isfinite().all()) for one in logits)
    assert not torch.equal(logits[0], logits[1])
    assert not torch.equal(logits[1], logits[2])
