"""`evomerge-tui export` of a vision-language model: two files that see what transformers sees, or one clear line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from evomerge_quant.chat.chat import open_chat
from evomerge_tui.cli.main import main
from support.gguf_models import make_model
from support.seeing_gguf_models import write_llava_mmproj, write_seeing_gguf_model


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return answer


def test_both_files_are_made_proved_and_handed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_seeing_gguf_model(tmp_path / "eyes-1M-Instruct", "smolvlm", dtype=torch.bfloat16)
    (model / "README.md").write_text("---\nlicense: apache-2.0\n---\n", encoding="utf-8")
    assert main(["export", str(model), "--type", "Q8_0", "--for", "koboldcpp", "--json"]) == 0
    answer = told(capsys)
    (file,) = answer["files"]
    text, mmproj = Path(file["path"]), Path(answer["mmproj"]["path"])
    assert text.parent == mmproj.parent == model / "gguf"
    assert mmproj.name == f"mmproj-{text.name.removesuffix('-Q8_0.gguf')}-F16.gguf"
    assert sorted(path.name for path in (model / "gguf").iterdir()) == [text.name, mmproj.name]
    assert subprocess.run(["sha256sum", mmproj], capture_output=True, text=True).stdout.split()[0] == answer["mmproj"]["sha256"]
    assert file["proof"]["passed"]
    assert file["sight"]["passed"]
    assert file["sight"]["feature_error"] < 0.01
    assert f"--mmproj {mmproj}" in file["handover"]["next"]
    with open_chat(text) as chat:
        assert chat.mmproj == mmproj
    # another type finds the eyes there
    assert main(["export", str(model), "--type", "Q4_0", "--plan", "--json"]) == 0
    assert told(capsys)["mmproj"] == {"path": str(mmproj), "bytes": mmproj.stat().st_size, "given": None, "exists": True}


def test_llava_sees_with_the_users_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_seeing_gguf_model(tmp_path / "llava", "llava")
    assert main(["export", str(model), "--type", "F16"]) == 2
    assert "LLaVA's eyes; a child has its base's eyes: give the base's published mmproj file with --mmproj FILE" in (
        capsys.readouterr().err
    )
    eyes = write_llava_mmproj(model, tmp_path / "theirs.gguf")
    # llama.cpp 0.3.36 puts CLIP's token for the whole picture behind the patches, whose positions are then off by one
    # (tools/mtmd/models/llava.cpp): what it sees isn't what transformers sees, and that is said.
    assert main(["export", str(model), "--type", "F16", "--mmproj", str(eyes), "--json"]) == 1
    answer = told(capsys)
    made = Path(answer["mmproj"]["path"])
    assert made.name.startswith("mmproj-llava")
    assert made.read_bytes() == eyes.read_bytes()
    assert answer["files"][0]["proof"]["passed"]
    assert not answer["files"][0]["path"].endswith(".suspect.gguf")
    assert answer["mmproj"]["failures"]


def test_another_models_eyes_are_suspect(
    seeing_files: Callable[[str], Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_seeing_gguf_model(tmp_path / "model", "smolvlm", seed=7)
    other = seeing_files("smolvlm").mmproj
    assert main(["export", str(model), "--type", "F16", "--mmproj", str(other), "--json"]) == 1
    answer = told(capsys)
    assert answer["files"][0]["proof"]["passed"]
    assert answer["mmproj"]["path"].endswith(".suspect.gguf")
    assert "away from transformers'" in answer["mmproj"]["failures"][0]


def test_what_has_no_effect_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(make_model(tmp_path / "text")), "--plan", "--mmproj", "theirs.gguf"]) == 2
    assert "--mmproj theirs.gguf: a text model has no eyes; leave the option out" in capsys.readouterr().err
    seeing = write_seeing_gguf_model(tmp_path / "seeing", "smolvlm")
    assert main(["export", str(seeing), "--plan", "--imatrix"]) == 2
    assert "--imatrix: isn't measured for a model that sees yet" in capsys.readouterr().err
    assert main(["export", str(seeing), "--plan", "--mmproj", str(tmp_path / "no.gguf")]) == 2
    assert "no.gguf: no such file" in capsys.readouterr().err


def test_a_file_that_no_model_sees_with_is_refused_before_anything_is_made(
    seeing_files: Callable[[str], Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seeing, theirs = write_seeing_gguf_model(tmp_path / "seeing", "llava"), seeing_files("smolvlm")
    (tmp_path / "page.gguf").write_text("<!doctype html>", encoding="utf-8")
    (tmp_path / "cut.gguf").write_bytes(theirs.mmproj.read_bytes()[:300])
    refused = {
        theirs.text: "is no mmproj file with a vision tower",
        tmp_path / "page.gguf": "is no GGUF file",
        tmp_path / "cut.gguf": "can't be read as a GGUF",
    }
    for file, said in refused.items():
        assert main(["export", str(seeing), "--type", "F16", "--mmproj", str(file)]) == 2
        line = capsys.readouterr().err
        assert f"{file}: {said}" in line
        assert "give the base's own, such as mmproj-...gguf" in line
    assert not (seeing / "gguf").exists()
