"""`run`, `status`, `pause`, `resume`, `stop`, `merge` and `inspect`, as processes."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from support.command_line import command
from support.tiny_run import scores, timeless, write_recipe

Finished = tuple[Path, "subprocess.CompletedProcess[str]"]


def last_json(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr[-2000:]
    value = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(value, dict)
    return value


def test_the_last_line_of_run_is_the_result(finished: Finished) -> None:
    run, done = finished
    result = last_json(done)
    assert result == json.loads((run / "winner" / "result.json").read_text())
    assert {"parents", "uniform", "winner", "paired", "verdict", "evaluations", "seconds", "tokens_generated"} <= set(result)
    assert [p["name"] for p in result["parents"]] == ["first", "second"]  # type: ignore[index, attr-defined]
    assert [u["name"] for u in result["uniform"]] == ["uniform 0.5", "uniform 0.75", "uniform 1"]  # type: ignore[index, attr-defined]
    winner = result["winner"]
    assert {"genome", "search", "validation", "test", "interval"} <= set(winner)  # type: ignore[arg-type]
    assert result["evaluations"] == 18
    assert set(result["confirmed"]) == {"bf16"}  # type: ignore[arg-type]


def test_status_tells_a_finished_run(finished: Finished) -> None:
    status = last_json(command("status", finished[0], "--json"))
    assert (status["state"], status["evaluations"], status["evaluations_total"], status["failed"]) == ("finished", 18, 18, 0)
    assert len(status["parents"]) == 2  # type: ignore[arg-type]


def test_resuming_a_finished_run_shows_its_result_again(finished: Finished) -> None:
    before = scores(finished[0])
    assert last_json(command("resume", finished[0], "--json")) == last_json(finished[1])
    assert scores(finished[0]) == before


def test_a_result_that_was_broken_is_made_again(finished: Finished, tmp_path: Path) -> None:
    run = shutil.copytree(finished[0], tmp_path / "run")
    (run / "winner" / "result.json").write_text("{")
    done = command("resume", run, "--json")
    assert done.returncode == 0, done.stderr
    assert "result.json has another size than was written: it is made again" in done.stderr
    expected = timeless(json.loads((finished[0] / "winner" / "result.json").read_text()))
    assert timeless(json.loads((run / "winner" / "result.json").read_text())) == expected


def test_the_winners_file_alone_rebuilds_the_winner(finished: Finished, tmp_path: Path) -> None:
    run = finished[0]
    shared = tmp_path / "mergekit_config.yml"
    shutil.copy(run / "winner" / "mergekit_config.yml", shared)
    assert command("merge", shared, tmp_path / "again").returncode == 0
    files = {p.name for p in (run / "winner" / "model").iterdir()}
    assert {"model.safetensors", "tokenizer.json", "config.json", "README.md", "mergekit_config.yml"} <= files
    for name in files:
        assert (tmp_path / "again" / name).read_bytes() == (run / "winner" / "model" / name).read_bytes(), name


def test_the_winner_is_the_weighted_sum_of_task_vectors(finished: Finished) -> None:
    """The oracle is arithmetic on the files: base + sum of w (source - base), bands of one layer each."""
    run = finished[0]
    genome = json.loads((run / "winner" / "result.json").read_text())["winner"]["genome"]
    weights = list(genome.values())
    base, first, second = (load_file(run.parent / name / "model.safetensors") for name in ("base", "first", "second"))
    child = load_file(run / "winner" / "model" / "model.safetensors")
    for name, tensor in child.items():
        band = 1 if ".layers.1." in name else 0
        exact = base[name].double()
        for weight, source in ((weights[band], first), (weights[2 + band], second)):
            exact = exact + weight * (source[name].double() - base[name].double())
        torch.testing.assert_close(tensor.double(), exact, rtol=2**-8, atol=1e-6)


def test_pause_resume_and_stop(tmp_path: Path) -> None:
    recipe, run = write_recipe(tmp_path, budget={"evaluations": 4000}), tmp_path / "run"
    assert last_json(command("run", recipe, "--out", run, "--detach", "--json"))["run"] == str(run)
    assert last_json(command("pause", run, "--json"))["state"] == "paused"
    evaluations = last_json(command("status", run, "--json"))["evaluations"]
    time.sleep(1.0)
    paused = last_json(command("status", run, "--json"))
    assert (paused["state"], paused["evaluations"]) == ("paused", evaluations)
    assert last_json(command("resume", run, "--json"))["state"] == "running"
    refused = command("resume", run.with_name("elsewhere"))
    assert refused.returncode == 2
    assert last_json(command("stop", run, "--json"))["state"] == "stopped"
    assert command("stop", run).returncode == 2


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """A run whose search takes seconds, whatever the machine."""
    place = tmp_path_factory.mktemp("limited")
    recipe = write_recipe(place, budget={"evaluations": 100000}, evaluation={"precision": "fp32", "device": "cpu"})
    return command("run", recipe, "--out", place / "run", "--minutes", "0.2", "--json")


def test_a_time_limit_ends_the_search_and_still_gives_a_verdict(limited: subprocess.CompletedProcess[str]) -> None:
    result = last_json(limited)
    assert 0 < result["evaluations"] < 100000  # type: ignore[operator]
    assert result["verdict"]


def test_the_same_seed_gives_the_same_winner_and_another_one_does_not(finished: Finished, tmp_path: Path) -> None:
    recipe = finished[0].parent / "recipe.yaml"
    same = last_json(command("run", recipe, "--out", tmp_path / "same", "--json"))
    other = last_json(command("run", recipe, "--out", tmp_path / "other", "--seed", "4", "--json"))
    assert timeless(same) == timeless(last_json(finished[1]))
    assert other["winner"]["genome"] != same["winner"]["genome"]  # type: ignore[index]


def test_piped_progress_is_plain_lines(limited: subprocess.CompletedProcess[str]) -> None:
    lines = limited.stderr.splitlines()
    assert any(line.startswith("running  ") for line in lines)
    assert "\x1b" not in limited.stderr


def test_inspect_compares_models(finished: Finished) -> None:
    place = finished[0].parent
    facts = last_json(command("inspect", place / "base", place / "first", "--json"))
    assert facts["mergeable"] is True
    assert facts["models"][0]["layers"] == 2  # type: ignore[index]
    table = command("inspect", place / "base", place / "first")
    assert "llama" in table.stdout.lower()


def test_stopping_at_once_loses_only_the_candidate_at_hand(tmp_path: Path) -> None:
    recipe, run = write_recipe(tmp_path, budget={"evaluations": 4000}), tmp_path / "run"
    assert command("run", recipe, "--out", run, "--detach", "--json").returncode == 0
    deadline = time.monotonic() + 300
    while not scores(run) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert last_json(command("stop", run, "--now", "--json"))["state"] == "interrupted"
    before = scores(run)
    assert before
    time.sleep(1.0)
    assert scores(run) == before
    assert "no job is running" in command("stop", run, "--now").stderr
