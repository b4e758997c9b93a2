"""Preflight of a run by taste: its prompts are counted and measured, with and without tasks beside them."""

import struct
from pathlib import Path
from typing import Any

import gguf
import pytest

from evomerge_core.recipe.load import load_recipe
from evomerge_quant.planning.check import PreflightCheck
from evomerge_quant.planning.machine.capacity import Capacity
from evomerge_quant.planning.preflight import preflight
from evomerge_quant.planning.workload import workload
from support.tasteful_runs import BY_TASTE, PROMPTS, write_recipe
from support.tiny_gguf import TEMPLATE


@pytest.mark.parametrize("tasks", [False, True])
def test_prompts_are_part_of_what_is_asked(tmp_path: Path, tasks: bool) -> None:
    recipe = load_recipe(
        write_recipe(tmp_path, with_tasks=tasks, **{**BY_TASTE, "evaluation": {"precision": "auto", "device": "cpu"}})
    )
    asked = workload(recipe, "cpu")
    assert asked.search_items == asked.searched_items == len(PROMPTS) + (12 if tasks else 0)
    assert asked.test_items == (20 if tasks else 0)
    report = preflight(recipe, out=tmp_path / "run")
    told = {check.subject: check.text for check in report.checks}
    assert told["Taste"] == "4 prompts; you vote, 20 times in all"
    assert report.estimate is not None


def _checks(place: Path, *, with_tasks: bool = False, **taste: Any) -> list[PreflightCheck]:
    recipe = load_recipe(write_recipe(place, with_tasks=with_tasks, **{**BY_TASTE, "taste": {**BY_TASTE["taste"], **taste}}))
    return list(preflight(recipe, out=place / "run").checks)


def _gguf(place: Path, template: str | None) -> Path:
    """A GGUF's head, with a chat template or without."""
    writer = gguf.GGUFWriter(place, "qwen2")
    if template is not None:
        writer.add_chat_template(template)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return place


def _judge(checks: list[PreflightCheck]) -> PreflightCheck:
    return next(check for check in checks if check.subject == "Judge")


@pytest.mark.parametrize(
    ("template", "state", "text"),
    [
        (TEMPLATE, "ok", "judge.gguf takes 0.5 GB of RAM"),
        (None, "problem", "has no chat template"),
        ("{% for", "problem", "its chat template is broken"),
    ],
)
def test_a_judge_is_looked_at_before_the_run_begins(tmp_path: Path, template: str | None, state: str, text: str) -> None:
    found = _judge(_checks(tmp_path, judge=str(_gguf(tmp_path / "judge.gguf", template))))
    assert found.state == state
    assert text in found.text


def test_a_judge_whose_head_lies_is_told_at_once(tmp_path: Path) -> None:
    """A list of 2**60 texts: gguf's own reader would read until the memory ends."""
    key = b"tokenizer.chat_template"
    head = struct.pack("<4sIQQQ", b"GGUF", 3, 0, 1, len(key)) + key + struct.pack("<IIQ", 9, 8, 2**60)
    (tmp_path / "judge.gguf").write_bytes(head + b"\0" * 1000)
    found = _judge(_checks(tmp_path, judge=str(tmp_path / "judge.gguf")))
    assert found.state == "problem"
    assert "can't be read as a GGUF" in found.text


def test_a_judge_that_is_larger_than_the_free_memory_is_told(tmp_path: Path) -> None:
    taste = {**BY_TASTE["taste"], "judge": str(_gguf(tmp_path / "judge.gguf", TEMPLATE))}
    recipe = load_recipe(write_recipe(tmp_path, with_tasks=False, **{**BY_TASTE, "taste": taste}))
    small = Capacity("cpu", "a small machine", cores=1, ram=10**9, ram_free=10**8)
    found = _judge(list(preflight(recipe, capacity=small, out=tmp_path / "run").checks))
    assert found.state == "warning"
    assert "are free" in found.text


def test_a_judge_without_llama_cpp_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _gguf(tmp_path / "judge.gguf", TEMPLATE)
    monkeypatch.setattr("evomerge_quant.planning.checks.judge.find_spec", lambda _: None)
    found = _judge(_checks(tmp_path, judge=str(path)))
    assert found.state == "problem"
    assert "llama-cpp-python" in found.text


@pytest.mark.parametrize("with_tasks", [False, True])
def test_a_weight_of_taste_that_has_no_effect_is_told(tmp_path: Path, with_tasks: bool) -> None:
    told = any("no effect" in check.text for check in _checks(tmp_path, with_tasks=with_tasks, weight=2.0))
    assert told is not with_tasks
