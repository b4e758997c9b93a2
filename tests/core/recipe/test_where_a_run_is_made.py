"""A recipe that somebody gave away writes into the folder that was given, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from evomerge_core.errors import InputError
from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.setup import create_run, run_folder
from support.tiny_run import write_recipe


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recipe(tmp_path_factory.mktemp("given"))


def with_keys(given: Path, **keys: object) -> Path:
    changed = given.with_name("changed.yaml")
    changed.write_text(yaml.safe_dump({**yaml.safe_load(given.read_text()), **keys}, sort_keys=False))
    return changed


@pytest.mark.parametrize("output", ["there", "runs/a/b", "./x", "a b"])
def test_a_folder_inside_is_taken(given: Path, output: str) -> None:
    assert run_folder(load_recipe(with_keys(given, output=output))) == given.parent / output


OUTSIDE = ["../x", "runs/../../x", "/out/x", "~/x", "~", "..", "C:\\x", "..\\x", "a\\..\\..\\x", "C:x", "\\\\host\\share\\x"]


@pytest.mark.parametrize("output", OUTSIDE)
def test_an_output_that_leads_outside_is_refused(given: Path, output: str) -> None:
    recipe = load_recipe(with_keys(given, output=output))
    with pytest.raises(InputError, match=r"leads outside the recipe's folder .*; name the run's folder with --out"):
        create_run(recipe)


@pytest.mark.parametrize("name", ["../../x", "../x/../../y", "a/../../../x", "..\\..\\x"])
def test_a_name_that_leads_outside_is_refused(given: Path, name: str) -> None:
    with pytest.raises(InputError, match="leads outside the recipe's folder"):
        run_folder(load_recipe(with_keys(given, name=name)))


@pytest.mark.parametrize(("link", "keys"), [("runs", {}), ("there", {"output": "there"}), ("there", {"output": "there/in/it"})])
def test_a_link_that_leads_outside_is_refused(given: Path, tmp_path: Path, link: str, keys: dict[str, str]) -> None:
    place = given.with_name(link)
    place.symlink_to(tmp_path)
    try:
        with pytest.raises(InputError, match=rf"leads outside the recipe's folder .* \({link} is a link\)"):
            run_folder(load_recipe(with_keys(given, **keys)))
    finally:
        place.unlink()
    assert list(tmp_path.iterdir()) == []


def test_the_user_may_name_any_folder(given: Path, tmp_path: Path) -> None:
    assert create_run(load_recipe(with_keys(given, output="../x")), out=tmp_path / "mine") == tmp_path / "mine"


@pytest.mark.parametrize("revision", ["../../x", "/out/x", "a/../../b", "..", "a//b", ".git"])
def test_a_revision_names_no_place_outside_the_cache(given: Path, revision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    tasks = [{"name": "t", "dataset": f"owner/name@{revision}", "fields": {"question": "q", "answer": "a"}, "scorer": "exact"}]
    with pytest.raises(InputError, match="is no revision"):
        create_run(load_recipe(with_keys(given, tasks=tasks)), out=given.with_name("never"))
    with pytest.raises(InputError) as refused:
        create_run(load_recipe(with_keys(given, base=f"owner/name@{revision}")), out=given.with_name("never"))
    assert "download" not in str(refused.value)
