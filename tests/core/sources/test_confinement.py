"""A shared recipe's relative paths stay in its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.sources.confinement import absolute_path, absolute_reference, path_inside


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "recipe" / "models" / "one").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    return tmp_path / "recipe"


def test_relative_parts_become_absolute(folder: Path) -> None:
    one = folder / "models" / "one"
    assert absolute_reference("models/one", folder) == str(one)
    assert absolute_reference("./models/one+./models/one", folder) == f"{one}+{one}"
    assert absolute_path("items.jsonl", folder) == folder / "items.jsonl"


def test_hub_ids_and_absolute_paths_stay(folder: Path) -> None:
    secret = str(folder.parent / "secret")
    assert absolute_reference("owner/name@v1+other/adapter", folder) == "owner/name@v1+other/adapter"
    assert absolute_reference(secret, folder) == secret
    assert absolute_path("~/x", folder) == Path("~/x").expanduser()


@pytest.mark.parametrize("path", ["../secret", "models/../../secret", "./../secret", "..\\secret", ".."])
def test_no_relative_path_leads_outside(folder: Path, path: str) -> None:
    for refused in (
        lambda: absolute_path(path, folder),
        lambda: absolute_reference(path, folder),
        lambda: absolute_reference(f"models/one+{path}", folder),
    ):
        with pytest.raises(InputError, match="leads outside the recipe's folder"):
            refused()


def test_links_lead_nowhere_else(folder: Path) -> None:
    (folder.parent / "secret.txt").write_text("x")
    try:
        (folder / "link").symlink_to(folder.parent / "secret")
        (folder / "models" / "one" / "model.safetensors").symlink_to(folder.parent / "secret.txt")
        (folder / "inside").symlink_to(folder / "models")
    except OSError:
        pytest.skip("this system doesn't let us make links")
    for path, name in (("link", "link"), ("models/one", "model.safetensors")):
        with pytest.raises(InputError, match=f"{name} is a link"):
            absolute_path(path, folder)
    assert absolute_path("inside", folder) == folder / "inside"


def test_a_link_that_leads_back_to_itself_is_refused(folder: Path) -> None:
    try:
        (folder / "loop").symlink_to("loop")
        (folder / "models" / "one" / "config.json").symlink_to("config.json")
    except OSError:
        pytest.skip("this system doesn't let us make links")
    for path, name in (("loop", "loop"), ("loop/items.jsonl", "items.jsonl"), ("models/one", "config.json")):
        with pytest.raises(InputError, match=rf"^{path}: leads nowhere \({name} is a link that leads back to itself\); remove"):
            absolute_path(path, folder)
    with pytest.raises(InputError, match="leads back to itself"):
        path_inside("loop/run", folder, remedy="name it")
