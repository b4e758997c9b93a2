"""Bad input: one clear line that names what is wrong, exit status 2, nothing lost, nothing half-made."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from evomerge_tui.cli.main import main
from support.tiny_run import save_model, write_recipe

Change = Callable[[Path], None]


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Runs a command in this process; it must end with status 2 and one line."""
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1, said.err
    return said.err


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models, items and a recipe that is right."""
    return write_recipe(tmp_path_factory.mktemp("good")).parent


@pytest.fixture
def place(good: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(good, tmp_path / "place"))


def rewrite(place: Path, **changes: Any) -> None:
    path = place / "recipe.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}, sort_keys=False))


def spoil_tensor(place: Path, value: float) -> None:
    path = place / "second" / "model.safetensors"
    tensors = load_file(path)
    tensors["model.layers.1.mlp.up_proj.weight"][3, 4] = value
    save_file(tensors, path, metadata={"format": "pt"})


def truncate(place: Path) -> None:
    path = place / "second" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def lead_outside(place: Path) -> None:
    shutil.copytree(place / "first", place.parent / "first")
    rewrite(place, sources=["../first", "./second"])


CASES: dict[str, tuple[Change, list[str]]] = {
    "a missing source": (lambda p: shutil.rmtree(p / "second"), ["second", "no such folder"]),
    "an unknown method": (lambda p: rewrite(p, search_space={"method": "tie"}), ["recipe.yaml:", "tie", "ties"]),
    "a wrong key": (lambda p: rewrite(p, buget={"evaluations": 3}), ["recipe.yaml:", "buget", "budget"]),
    "an option without effect": (
        lambda p: rewrite(p, search_space={"method": "task_arithmetic", "fixed": {"density": 0.5}}),
        ["recipe.yaml:", "density", "task_arithmetic"],
    ),
    "NaN weights": (lambda p: spoil_tensor(p, float("nan")), ["model.layers.1.mlp.up_proj.weight", "NaN"]),
    "infinite weights": (lambda p: spoil_tensor(p, float("inf")), ["model.layers.1.mlp.up_proj.weight", "Inf"]),
    "a truncated file": (truncate, ["second", "model.safetensors"]),
    "a corrupt file": (lambda p: (p / "second" / "model.safetensors").write_bytes(b"x" * 5000) and None, ["model.safetensors"]),  # type: ignore[func-returns-value]
    "another width": (lambda p: save_model(p / "second", 1, intermediate_size=96) and None, ["intermediate_size", "96", "128"]),  # type: ignore[func-returns-value]
    "another depth": (lambda p: save_model(p / "second", 1, num_hidden_layers=3) and None, ["num_hidden_layers", "3", "2"]),  # type: ignore[func-returns-value]
    "an empty task": (lambda p: (p / "items.jsonl").write_text("") and None, ["items.jsonl", "the file is empty"]),
    "a missing task file": (lambda p: (p / "items.jsonl").unlink(), ["items.jsonl"]),
    "too few items": (lambda p: rewrite(p, splits={"search": 50, "validation": 8, "test": 20}), ["78", "60"]),
    "a path that leads outside": (lead_outside, ["../first", "outside"]),
    "no base": (lambda p: rewrite(p, base="./nowhere"), ["nowhere"]),
    "not YAML": (lambda p: (p / "recipe.yaml").write_text("a: [1,\nb: }") and None, ["recipe.yaml:2"]),
}


@pytest.mark.parametrize("case", CASES)
def test_run_refuses(case: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil, words = CASES[case]
    spoil(place)
    said = refused(capsys, "run", place / "recipe.yaml", "--out", place / "run")
    for word in words:
        assert word in said, said
    assert not (place / "run").exists()


def test_a_missing_recipe_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "absent.yaml" in refused(capsys, "run", tmp_path / "absent.yaml")


def test_an_out_folder_with_anything_in_it_is_left_alone(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = place / "run"
    out.mkdir()
    (out / "thesis.txt").write_text("precious")
    for command in (("run", place / "recipe.yaml", "--out", out), ("quickstart", "--out", out)):
        assert "not empty" in refused(capsys, *command)
    assert [p.name for p in out.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("option", [("--evaluations", "0"), ("--minutes", "-1"), ("--seed", "-1")])
def test_numbers_out_of_range_are_refused(place: Path, option: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert option[0] in refused(capsys, "run", place / "recipe.yaml", "--out", place / "run", *option)


@pytest.mark.parametrize("command", ["status", "pause", "resume", "stop"])
def test_what_is_no_run_is_named(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert str(tmp_path) in refused(capsys, command, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_space_left_is_reported_before_anything_is_written(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk's own report is the one thing that is put on: a full disk can't be had in a test."""
    usage = shutil.disk_usage(place)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    merge = place / "merge.yml"
    merge.write_text(
        yaml.safe_dump(
            {
                "merge_method": "task_arithmetic",
                "base_model": "./base",
                "models": [{"model": f"./{name}", "parameters": {"weight": 0.5}} for name in ("first", "second")],
                "dtype": "float32",
                "out_dtype": "bfloat16",
            }
        )
    )
    assert "no space left" in refused(capsys, "merge", merge, place / "out")
    assert not (place / "out").exists()
    assert "no space left" in refused(capsys, "run", place / "recipe.yaml", "--out", place / "run")
    assert not (place / "run").exists()


def test_a_source_that_changed_after_the_run_began_is_refused_on_resume(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from evomerge_core.recipe.load import load_recipe
    from evomerge_core.run.setup import create_run
    from evomerge_tui.processes.job import work

    run = create_run(load_recipe(place / "recipe.yaml"), out=place / "run")
    tensors = load_file(place / "second" / "model.safetensors")
    save_file({name: tensor * torch.tensor(2.0).to(tensor.dtype) for name, tensor in tensors.items()},
              place / "second" / "model.safetensors", metadata={"format": "pt"})  # fmt: skip
    assert work(run) == 2
    main(["status", str(run), "--json"])
    status = json.loads(capsys.readouterr().out)
    assert status["state"] == "failed"
    assert "model.safetensors" in status["message"]
    assert "changed since the run began" in status["message"]


def test_with_json_the_error_is_an_object_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(tmp_path), "--json"]) == 2
    said = capsys.readouterr()
    assert json.loads(said.out)["error"] in said.err


def test_a_missing_extra_is_named(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    assert "pip install 'evomerge-tui[harness]'" in refused(capsys, "harness", place / "base", "arc_easy")
