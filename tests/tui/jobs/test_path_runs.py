"""Runs that search paths: stages, kills between them, bounds, and a child that its recipe makes again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from transformers import AutoModelForCausalLM, Olmo2Config

from evomerge_core.paths.layout import lay_out
from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.candidate.candidate_merge import path_candidate
from evomerge_core.run.setup import create_run, prepare
from evomerge_core.run.store.store import Store
from evomerge_core.run.view.progress import read_progress
from evomerge_tui.cli.main import main
from evomerge_tui.processes.job import work
from support.command_line import command
from support.tiny_run import save_model, scores, timeless, write_recipe

HARNESS = Path(__file__).parents[2] / "support" / "kill_harness.py"
LAYERS = 4
PS_DFS = [
    {"search_space": {"groups": "whole"}, "budget": {"evaluations": 8}},
    {"paths": {"sources": ["weights", "first"]}, "budget": {"evaluations": 16}},
]


def write(folder: Path, **changes: Any) -> Path:
    """The tiny run's recipe, its models of four layers; `changes` replace its search space."""
    recipe = write_recipe(folder)
    base = save_model(folder / "base", 0, num_hidden_layers=LAYERS)
    for name, seed in (("first", 1), ("second", 2)):
        save_model(folder / name, seed, base, num_hidden_layers=LAYERS)
    data = yaml.safe_load(recipe.read_text())
    del data["search_space"]
    few = {"splits": {"search": 8, "validation": 4, "test": 6}, "evaluation": {"precision": "nf4", "device": "cpu"}}
    recipe.write_text(yaml.safe_dump({**data, **few, **changes}, sort_keys=False))
    return recipe


def finished(folder: Path, **changes: Any) -> tuple[Path, dict[str, Any]]:
    run = create_run(load_recipe(write(folder, **changes)), out=folder / "run")
    assert work(run) == 0, (run / "job.log").read_text() if (run / "job.log").exists() else read_progress(run).message
    result: dict[str, Any] = json.loads((run / "winner" / "result.json").read_text())
    return run, result


@pytest.mark.skipif(os.name == "nt", reason="the harness forks; Windows has no fork")
def test_weights_then_paths_end_alike_however_often_they_are_killed(tmp_path: Path) -> None:
    whole, result = finished(tmp_path, stages=PS_DFS)
    killed = create_run(load_recipe(tmp_path / "recipe.yaml"), out=tmp_path / "killed")
    # seven evaluations apart, so that both stages are hit
    done = subprocess.run([sys.executable, str(HARNESS), str(killed), "6", "1", "7"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[0]) >= 5, "the job ended before it could be killed: give the recipe more evaluations"
    assert scores(killed) == scores(whole)
    again = json.loads((killed / "winner" / "result.json").read_text())
    assert timeless(again) == timeless(result)
    files = [(run / "winner" / "model" / "model.safetensors").read_bytes() for run in (whole, killed)]
    assert files[0] == files[1]

    assert [stage["stage"] for stage in result["stages"]] == ["weights"]
    assert result["stages"][0]["name"] in {comparison["against"] for comparison in result["against"]}
    assert result["winner"]["path"]["models"] == {"A": "weights", "B": "first"}
    hops = result["winner"]["path"]["hops"]
    assert result["child"]["layers"] == len(hops)
    stages = Store(whole / "run.db").fact("stage_starts")
    assert len(stages) == 2
    assert stages[0] == 0 < stages[1]


@pytest.fixture(scope="module")
def paths_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A finished run of paths alone, in the paper's encoding and bounded."""
    paths = {"encoding": "indicator", "scales": "hop", "repeats": 2, "max_layers": 6}
    return finished(tmp_path_factory.mktemp("paths"), paths=paths, budget={"evaluations": 12})


def test_the_winners_recipe_makes_the_child_again(paths_run: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    run, result = paths_run
    recipe = Path(result["files"]["recipe"])
    assert recipe.name == "evomerge_path.yml"
    done = command("merge", recipe, tmp_path / "again")
    assert done.returncode == 0, done.stderr
    ours = {file.name: file.read_bytes() for file in (run / "winner" / "model").iterdir()}
    assert {file.name: file.read_bytes() for file in (tmp_path / "again").iterdir()} == ours


def test_the_child_is_an_ordinary_longer_model_within_its_bounds(paths_run: tuple[Path, dict[str, Any]]) -> None:
    run, result = paths_run
    model: Any = AutoModelForCausalLM.from_pretrained(run / "winner" / "model")
    child, hops = result["child"], result["winner"]["path"]["hops"]
    assert child["layers"] == model.config.num_hidden_layers == len(hops) <= child["max_layers"] == 6
    assert child["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert set(child["gguf_bytes"]) == {"Q4_K_M", "Q8_0", "F16"}
    assert 2 * child["parameters"] < child["gguf_bytes"]["F16"] < 4 * child["parameters"] + 20_000
    assert (hops[0]["model"], hops[0]["layer"], hops[0]["scale"]) == ("first", 0, 1.0)
    assert (hops[-1]["model"], hops[-1]["layer"]) == ("first", LAYERS - 1)


def test_the_first_candidate_is_the_first_model_itself(paths_run: tuple[Path, dict[str, Any]]) -> None:
    run, _ = paths_run
    store = Store(run / "run.db")
    parent, first = store.candidates("parent")[0], store.candidates("search")[0]
    assert parent.label == "first"
    ours, theirs = (store.item_scores(candidate.id, "search", "nf4") for candidate in (first, parent))
    assert [(i.item, i.value, i.answer) for i in ours] == [(i.item, i.value, i.answer) for i in theirs]


def test_every_candidates_path_is_found_by_its_stage(paths_run: tuple[Path, dict[str, Any]]) -> None:
    run, result = paths_run
    store, setup = Store(run / "run.db"), prepare(load_recipe(run / "recipe.yaml"), run)
    drawn = {}
    for candidate in (*store.candidates("search"), *store.candidates("parent")):
        found = path_candidate(setup, candidate)
        drawn[candidate.label] = None if found is None else lay_out(found.path, found.space.pool)
    assert drawn["first"] is None
    assert drawn["g1.1"] == "A0-3"
    assert drawn[result["winner"]["name"]] == result["winner"]["path"]["text"]


def test_paths_without_scales_are_scored_once_each(tmp_path: Path) -> None:
    """Genomes that stand for one path are one candidate; the search ends when it meets no path more."""
    run, result = finished(tmp_path, paths={"scales": "none", "slots": 2, "reach": 0}, budget={"evaluations": 30})
    store = Store(run / "run.db")
    searched = [c for c, _ in store.scored("search", "nf4") if c.kind == "search"]
    # two slots of three choices each: the first model's layer, the second's, or none
    assert len(searched) <= 9
    assert all(hop["scale"] == 1.0 for hop in result["winner"]["path"]["hops"])


def refused(capsys: pytest.CaptureFixture[str], recipe: Path) -> str:
    assert main(["run", str(recipe), "--out", str(recipe.parent / "run")]) == 2
    # transformers shows its own progress on a carriage return
    said = capsys.readouterr().err.rpartition("error: ")[2]
    assert said.count("\n") == 1
    assert not (recipe.parent / "run").exists()
    return said


def test_scales_that_an_architecture_cannot_fold_are_refused_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write(tmp_path, paths={})
    sizes = {"vocab_size": 200, "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "eos_token_id": 2}
    for name in ("base", "first", "second"):
        model = AutoModelForCausalLM.from_config(Olmo2Config(**sizes, num_hidden_layers=LAYERS, pad_token_id=2))
        model.save_pretrained(tmp_path / name)
    assert "olmo2: its layers read the stream without a norm" in refused(capsys, recipe)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_position_embeddings": 128, "rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}, ["rope_theta"]),
        ({"intermediate_size": 96}, ["intermediate_size"]),
    ],
)
def test_models_whose_layers_do_not_fit_are_refused_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], words: list[str]
) -> None:
    recipe = write(tmp_path, paths={})
    save_model(tmp_path / "second", 2, num_hidden_layers=LAYERS, **changes)
    said = refused(capsys, recipe)
    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ({"max_layers": 3}, ["room for 3 layers", "4"]),
        ({"max_parameters": 20_000}, ["max_parameters", "leave no room"]),
        ({"slots": 1}, ["paths.slots", "use 2 or more"]),
    ],
)
def test_bounds_below_the_first_model_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], paths: dict[str, Any], words: list[str]
) -> None:
    said = refused(capsys, write(tmp_path, paths=paths))
    assert all(word in said for word in words), said
