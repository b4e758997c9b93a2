"""The job's models on another machine: found by what their files hold, wherever they lie, or named with what fetches them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_quant.workers.found_models import find_model
from evomerge_quant.workers.run_description import Model, StoredFile
from support.tiny_run import save_model


def told(folder: Path, name: str, gone: Path) -> Model:
    """What the job tells of the model in a folder, which it has at a path that isn't on this machine."""
    files = {
        path.name: StoredFile(path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.iterdir()
        if path.suffix in (".json", ".safetensors")
    }
    return Model(name, str(gone), files)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models") / "family" / "base"
    save_model(place, 0)
    return place


def test_where_the_job_has_it_is_looked_first(folder: Path) -> None:
    assert find_model(told(folder, str(folder), folder), ()) == folder


def test_a_model_is_found_under_another_path_by_its_files(folder: Path, tmp_path: Path) -> None:
    model = told(folder, "/elsewhere/base", tmp_path / "elsewhere" / "base")
    assert find_model(model, [str(folder.parents[1])]) == folder


def test_one_of_the_same_sizes_with_another_weight_is_not_taken(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "models" / "other"
    save_model(other, 0)
    with (other / "model.safetensors").open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"\1\2\3\4")
    model = told(folder, "/elsewhere/base", tmp_path / "gone")
    with pytest.raises(InputError, match=r"isn't on this machine \(.*model.safetensors has other content\); copy it there"):
        find_model(model, [str(tmp_path / "models")])
    assert find_model(model, [str(tmp_path / "models"), str(folder.parents[1])]) == folder


def test_a_hub_model_is_found_in_the_cache_or_named_with_the_command_that_fetches_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    model = told(folder, "owner/base@main", tmp_path / "gone")
    with pytest.raises(InputError, match=r"owner/base@main: isn't on this machine; .*`evomerge-tui download owner/base@main`"):
        find_model(model, ())
    snapshot = tmp_path / "models--owner--base" / "snapshots" / "0123"
    save_model(snapshot, 0)
    assert find_model(model, ()) == snapshot
