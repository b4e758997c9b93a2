from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.sources.resolve import locate, split_reference
from evomerge_core.sources.source import open_source, open_sources

CopyOf = Callable[[str], Path]


def refusal(reference: str, folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        locate(reference, relative_to=folder, allow_pickle=False)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def found(reference: str, folder: Path) -> Path:
    return locate(reference, relative_to=folder, allow_pickle=False).model


def test_paths_are_absolute_relative_or_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models" / "one").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for reference in (str(tmp_path / "models" / "one"), "models/one", "./models/one", "~/models/one"):
        assert found(reference, tmp_path).samefile(tmp_path / "models" / "one")


def test_a_plus_in_a_folders_name_is_no_adapter(tmp_path: Path) -> None:
    for name in ("c++", "a+b", "lora"):
        (tmp_path / name).mkdir()
    assert split_reference("c++", tmp_path) == ("c++", None)
    assert split_reference("a+b", tmp_path) == ("a+b", None)
    assert split_reference("c+++lora", tmp_path) == ("c++", "lora")
    assert split_reference("a+b+lora", tmp_path) == ("a+b", "lora")
    assert split_reference("lora+a+b", tmp_path) == ("lora", "a+b")
    assert split_reference("owner/model@v1+owner/lora", tmp_path) == ("owner/model@v1", "owner/lora")


@pytest.mark.parametrize("reference", ["", "  ", "+x", "x+", "a\nb", "a\0b", "~nobody-by-that-name/x"])
def test_half_a_reference_is_refused(tmp_path: Path, reference: str) -> None:
    assert refusal(reference, tmp_path)


@pytest.mark.parametrize("reference", ["absent", "./absent", "/absent/model", "a/b/c"])
def test_a_missing_folder_is_named(tmp_path: Path, reference: str) -> None:
    said = refusal(reference, tmp_path)
    assert said.startswith(f"{reference}: no such folder")


def test_sources_share_an_opened_checkpoint(copy_of: CopyOf, tmp_path: Path) -> None:
    folder = copy_of("m")
    shutil.copytree(folder, tmp_path / "other")
    sources = open_sources(["m", str(folder), "other"], relative_to=tmp_path)
    assert list(sources) == ["m", str(folder), "other"]
    assert sources["m"].checkpoint is sources[str(folder)].checkpoint
    assert sources["m"].checkpoint != sources["other"].checkpoint
    assert sources["m"].label == "m"


def test_an_adapter_alone_is_refused_with_the_way_to_write_it(tmp_path: Path) -> None:
    (tmp_path / "lora").mkdir()
    (tmp_path / "lora" / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match=r"MODEL\+lora"):
        open_source("lora", relative_to=tmp_path)
