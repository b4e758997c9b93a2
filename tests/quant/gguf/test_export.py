"""`evomerge-tui export`: whole files that are the winner, or one clear line and nothing at all."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import gguf
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from evomerge_core.errors import InputError
from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.setup import create_run
from evomerge_quant.gguf.convert.convert import waiting_converter
from evomerge_quant.gguf.export import export
from evomerge_quant.gguf.plan import make_plan
from evomerge_quant.gguf.quantize.file_types import find_types
from evomerge_quant.gguf.subject.find_subject import find_subject
from evomerge_tui.cli.main import main
from support.gguf_models import make_model

GENOME = (0.7, 0.4, -0.2, 0.9)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose winner is known, though nothing was searched; its sources' licences disagree."""
    place = tmp_path_factory.mktemp("run")
    make_model(place / "base-1M-Instruct", dtype=torch.bfloat16)
    for seed, (name, licence) in enumerate({"first": "mit", "second": "apache-2.0"}.items(), start=1):
        make_model(place / name, dtype=torch.bfloat16, seed=seed)
        (place / name / "README.md").write_text(f"---\nlicense: {licence}\nlanguage: en\n---\n")
    items = [{"question": f"How much is {i} and {i}?", "answer": str(2 * i)} for i in range(12)]
    (place / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    recipe: dict[str, Any] = {
        "evomerge": 1,
        "name": "cross",
        "base": "./base-1M-Instruct",
        "sources": ["./first", "./second"],
        "search_space": {"method": "task_arithmetic", "groups": {"bands": 2}},
        "tasks": [
            {"name": "sums", "file": "items.jsonl", "fields": {"question": "question", "answer": "answer"},
             "prompt": "{question}", "scorer": "final_number", "max_new_tokens": 4}
        ],
        "splits": {"search": 4, "validation": 4, "test": 4},
        "budget": {"evaluations": 4},
    }  # fmt: skip
    (place / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    folder = create_run(load_recipe(place / "recipe.yaml"), out=place / "run")
    store = open_store(folder)
    store.add_candidate("parent", "first")
    winner = store.add_candidate("search", "g1.1", generation=0, position=0, genome=GENOME)
    store.set_facts(winner=winner.id, state="finished")
    store.close()
    return folder


@pytest.fixture(scope="module")
def exported(run: Path, converter: Path) -> tuple[Path, dict[str, Any]]:
    """What the command said of a whole export, with everything on."""
    words = ["export", run, "--type", "BF16", "q8_0", "--imatrix", "--for", "ollama", "--converter", converter, "--json"]
    line = [sys.executable, "-m", "evomerge_tui", *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return run / "winner" / "gguf", {**json.loads(done.stdout.splitlines()[-1]), "said": done.stderr}


def matrix(path: Path, name: str) -> np.ndarray:
    tensor = next(stored for stored in gguf.GGUFReader(path).tensors if stored.name == name)
    return gguf.dequantize(tensor.data, tensor.tensor_type)


def text_of(path: Path, key: str) -> str:
    field = gguf.GGUFReader(path).fields[key]
    return bytes(field.parts[field.data[0]]).decode()


def test_the_winner_is_merged_again_from_its_sources(run: Path, exported: tuple[Path, dict[str, Any]]) -> None:
    """Against base + sum of weight * task vector; the first of two bands has the first two weights or their like."""
    folder, answer = exported
    base, first, second = (
        load_file(run.parent / name / "model.safetensors")["model.layers.0.mlp.down_proj.weight"].float()
        for name in ("base-1M-Instruct", "first", "second")
    )
    found = matrix(Path(answer["files"][0]["path"]), "blk.0.ffn_down.weight")
    merged = [base + a * (first - base) + b * (second - base) for a in GENOME for b in GENOME]
    wanted = [tensor.to(torch.bfloat16).float().numpy() for tensor in merged]
    assert min(np.abs(found - tensor).max() for tensor in wanted) < 1e-2 * np.abs(found).max()
    assert [path.name for path in sorted(folder.iterdir())] == [
        "base-146K-cross-v1.0-BF16.Modelfile",
        "base-146K-cross-v1.0-BF16.gguf",
        "base-146K-cross-v1.0-Q8_0.Modelfile",
        "base-146K-cross-v1.0-Q8_0.gguf",
    ]


def test_each_file_is_verified_and_described(exported: tuple[Path, dict[str, Any]]) -> None:
    folder, answer = exported
    assert answer["passed"]
    assert [file["type"] for file in answer["files"]] == ["BF16", "Q8_0"]
    for file in answer["files"]:
        path = Path(file["path"])
        assert path.stat().st_size == file["bytes"]
        assert subprocess.run(["sha256sum", path], capture_output=True, text=True).stdout.split()[0] == file["sha256"]
        assert file["proof"]["passed"]
        assert file["proof"]["token_ids_equal"]
        assert file["handover"]["next"].startswith("ollama create base-146k-cross-v1.0:")
    modelfile = (folder / "base-146K-cross-v1.0-Q8_0.Modelfile").read_text()
    assert "FROM ./base-146K-cross-v1.0-Q8_0.gguf" in modelfile
    assert 'PARAMETER stop "<|im_end|>"' in modelfile


def test_metadata_tells_the_name_the_sources_and_the_recipe_but_no_folder(
    run: Path, exported: tuple[Path, dict[str, Any]]
) -> None:
    path = Path(exported[1]["files"][1]["path"])
    assert text_of(path, "general.name") == "base 146K cross"
    assert text_of(path, "general.basename") == "base"
    assert "merge_method: task_arithmetic" in text_of(path, "general.description")
    assert str(run.parent) not in text_of(path, "general.description")
    keys = gguf.GGUFReader(path).fields
    assert text_of(path, "general.base_model.1.name") == "First"
    assert "general.license" not in keys
    assert "general.tags" in keys


def test_disagreeing_licences_are_reported(exported: tuple[Path, dict[str, Any]]) -> None:
    assert any("licences disagree" in line and "mit" in line for line in exported[1]["warnings"])
    assert "licences disagree" in exported[1]["said"]


def test_a_failed_proof_keeps_the_file_as_suspect(run: Path, converter: Path, tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Failed:
        passed: bool = False
        failures: tuple[str, ...] = ("it is not what it should be",)

        def to_json(self) -> dict[str, Any]:
            return {"passed": False}

    plan = make_plan(find_subject(run, "first"), find_types(["F16"], imatrix=False), tmp_path / "out", imatrix=False)
    with waiting_converter(converter) as process:
        done = export(plan, process, lambda _: None, prove=lambda *_: Failed(), runner="ollama")
    assert not done.passed
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["base-146K-cross-first-v1.0-F16.suspect.gguf"]
    assert done.files[0].handover is None


@pytest.mark.parametrize("step", ["convert", "quantize Q8_0"])
def test_being_stopped_leaves_nothing(step: str, run: Path, converter: Path, tmp_path: Path) -> None:
    words = ["export", run, "--candidate", "first", "--type", "Q8_0", "--out", tmp_path / "a" / "b", "--converter", converter]
    line = [sys.executable, "-m", "evomerge_tui", *map(str, words)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for said in process.stdout:
            if said.strip() == step:
                process.send_signal(signal.SIGTERM)
                break
        process.communicate()
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


# Bad input

Change = Callable[[Path], None]


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A model to spoil, and a folder that looks like a converter: nothing of it may be needed."""
    make_model(tmp_path / "model", num_hidden_layers=1)
    (tmp_path / "llama.cpp" / "gguf-py" / "gguf").mkdir(parents=True)
    (tmp_path / "llama.cpp" / "gguf-py" / "gguf" / "__init__.py").touch()
    (tmp_path / "llama.cpp" / "convert_hf_to_gguf.py").touch()
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], bench: Path, *words: object) -> str:
    """Status 2, one line of error, and nothing written."""
    capsys.readouterr()
    before = sorted(bench.rglob("*"))
    named = [bench / "model", *words, "--converter", bench / "llama.cpp"]
    assert main(["export", *map(str, named)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1, said
    assert sorted(bench.rglob("*")) == before
    return said


def spoil(bench: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    path = bench / "model" / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def test_an_unknown_type(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'Q8_0'" in refused(capsys, bench, "--type", "Q8")


def test_nan_weights(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(bench, lambda tensors: tensors["lm_head.weight"][2].fill_(torch.nan))
    assert "lm_head.weight holds NaN" in refused(capsys, bench)


def test_more_tokens_than_rows(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def cut(tensors: dict[str, torch.Tensor]) -> None:
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            tensors[name] = tensors[name][:300].clone()

    spoil(bench, cut)
    assert "has 300 rows" in refused(capsys, bench)


def test_a_file_that_is_there_already(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bench / "mine.gguf").write_text("precious")
    assert "already exists" in refused(capsys, bench, "--out", bench / "mine.gguf")


def test_a_place_that_cant_be_written(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bench / "file").touch()
    assert "--out" in refused(capsys, bench, "--out", bench / "file" / "folder")


def test_a_full_disk(bench: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk's own report is the one thing that is put on: a full disk can't be had in a test."""
    usage = shutil.disk_usage(bench)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    assert "no space left" in refused(capsys, bench, "--out", bench / "out")


def test_a_converter_that_fails(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """This one is empty: it ends well and has converted nothing."""
    assert "converter failed" in refused(capsys, bench, "--out", bench / "out")


def test_an_error_names_the_file_that_was_asked_for(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is done in a hidden folder, which nobody has asked for."""
    plan = make_plan(find_subject(run, None), find_types(["Q8_0"], imatrix=False), tmp_path / "out", imatrix=False)
    monkeypatch.setattr("evomerge_quant.gguf.export.check_model", lambda *_: ())
    monkeypatch.setattr("evomerge_quant.gguf.export.run_converter", lambda *_: None)

    def fail(_source: Path, target: Path, *_: object) -> None:
        raise InputError("can't be written", where=target)

    monkeypatch.setattr("evomerge_quant.gguf.export.quantize", fail)
    with pytest.raises(InputError) as caught:
        export(plan, cast("Any", None), lambda _: None, prove=None)
    assert str(caught.value) == f"{plan.files[0].path}: can't be written"


def test_one_file_for_two_types(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "2 types" in refused(capsys, bench, "--type", "F16", "Q8_0", "--out", bench / "one.gguf")


def test_options_without_a_run(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is not a run's folder" in refused(capsys, bench, "--candidate", "g1.1")
    assert "--rescore: needs a run" in refused(capsys, bench, "--rescore", "3")


def test_a_template_that_ollama_cant_take(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = bench / "model" / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config["chat_template"] = "{% for m in messages %}{{ loop.index ~ m['content'] }}{% endfor %}"
    path.write_text(json.dumps(config))
    assert "TEMPLATE by hand" in refused(capsys, bench, "--for", "ollama")


def test_no_such_folder(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(bench / "model")
    assert "no such folder" in refused(capsys, bench)
