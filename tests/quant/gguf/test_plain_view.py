"""What llama.cpp's converter is given of a model's folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from evomerge_quant.gguf.convert.plain_view import plain_view


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "Model-1B"
    (folder / "additional_chat_templates").mkdir(parents=True)
    (folder / "custom_generate").mkdir()
    for name in (
        "model.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
        "tokenizer.model",
        "merges.txt",
        "chat_template.jinja",
        "README.md",
        "additional_chat_templates/tools.jinja",
        "modeling.py",
        "custom_generate/generate.py",
        "pytorch_model.bin",
        "optimizer.pt",
        "adapter_model.safetensors",
    ):
        (folder / name).write_text(json.dumps({"name": name}) if name == "tokenizer.json" else name)
    named = {
        "auto_map": {"AutoConfig": "modeling.Config"},
        "text_config": {"auto_map": {}, "layers": [{"auto_map": 1, "n": 2}]},
    }
    for name in ("config.json", "tokenizer_config.json", "processor_config.json", "generation_config.json"):
        (folder / name).write_text(json.dumps(named | {"name": name}))
    (folder / "adapter_config.json").write_text("{}")
    return folder


def test_it_holds_the_data_and_names_no_code(model: Path, tmp_path: Path) -> None:
    with plain_view(model, tmp_path / "place") as view:
        assert view.name == model.name
        assert {path.relative_to(view).as_posix() for path in view.rglob("*") if path.is_file()} == {
            "model.safetensors",
            "model.safetensors.index.json",
            "tokenizer.json",
            "tokenizer.model",
            "merges.txt",
            "chat_template.jinja",
            "README.md",
            "additional_chat_templates/tools.jinja",
            "config.json",
            "tokenizer_config.json",
            "processor_config.json",
            "generation_config.json",
        }
        for path in view.glob("*config.json"):
            assert json.loads(path.read_text()) == {"name": path.name, "text_config": {"layers": [{"n": 2}]}}
        assert (view / "model.safetensors").samefile(model / "model.safetensors")
    assert not (tmp_path / "place").exists()
    assert (model / "model.safetensors").read_text() == "model.safetensors"


def test_without_symbolic_links_it_takes_hard_ones_and_copies_only_to_another_disk(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(os, "symlink", refused)
    with plain_view(model, tmp_path / "place") as view:
        assert (view / "model.safetensors").samefile(model / "model.safetensors")
        assert not (view / "model.safetensors").is_symlink()
    monkeypatch.setattr(os, "link", refused)
    with plain_view(model, tmp_path / "place") as view:
        assert not (view / "model.safetensors").samefile(model / "model.safetensors")
        assert (view / "model.safetensors").read_text() == "model.safetensors"
    assert (model / "model.safetensors").read_text() == "model.safetensors"


def test_a_model_in_the_working_folder_keeps_its_name(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model)
    with plain_view(Path(), tmp_path / "place") as view:
        assert view.name == model.name
        assert json.loads((view / "tokenizer.json").read_text()) == {"name": "tokenizer.json"}
