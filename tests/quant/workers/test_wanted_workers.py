"""Workers as a recipe and a command line ask for them, with and without the extra."""

from __future__ import annotations

import importlib.util
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from evomerge_core.errors import InputError
from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.run_folder.folder import read_store
from evomerge_core.run.run_folder.names import COPY, STORE
from evomerge_core.run.setup import create_run
from evomerge_core.run.store.facts import read_facts
from evomerge_quant.planning.machine import ray_extra
from evomerge_quant.planning.machine.shares import cluster_of
from evomerge_quant.workers.cluster import joined
from evomerge_quant.workers.wanted import keep_workers, with_workers
from support.tiny_run import write_recipe

WITH_RAY = importlib.util.find_spec("ray") is not None


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipe")


@pytest.mark.parametrize("wanted", [0, -1, True, 1.5, "two", "ray://", "ray://host", "10.0.0.1:6379", []])
def test_what_cant_be_meant_is_refused_at_its_line(place: Path, wanted: Any) -> None:
    with pytest.raises(InputError, match=r"recipe.yaml:\d+: key 'search.workers' must be a number above 0, auto or ray://"):
        load_recipe(write_recipe(place, search={"workers": wanted}))


def test_workers_of_a_stage_are_refused(place: Path) -> None:
    recipe = write_recipe(place, stages=[{"search_space": {}, "search": {"workers": 2}}])
    recipe.write_text(recipe.read_text().replace("search_space:\n  groups:\n    bands: 2\n", ""))
    with pytest.raises(InputError, match=r"'stages\[0\].*search' has workers, which are the whole run's"):
        load_recipe(recipe)


def test_a_recipe_of_an_earlier_version_wants_none(place: Path) -> None:
    assert load_recipe(write_recipe(place)).search.workers is None


@pytest.mark.skipif(not WITH_RAY, reason="needs the extra ray")
def test_the_command_line_comes_first(place: Path) -> None:
    recipe = load_recipe(write_recipe(place, search={"workers": 3}))
    found = {text: with_workers(recipe, text).search.workers for text in (None, "2", "auto", "ray://[::1]:10001", "none")}
    assert found == {None: 3, "2": 2, "auto": "auto", "ray://[::1]:10001": "ray://[::1]:10001", "none": None}


@pytest.mark.parametrize("text", ["0", "-1", "", "abc", "2 ", "1.5", "ray://bad", "9" * 5000])
def test_what_a_command_line_cant_mean_is_refused_in_one_line(place: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"^--workers .*: must be a number above 0, auto, ray://HOST:PORT or none$"):
        with_workers(load_recipe(write_recipe(place)), text)


@pytest.mark.parametrize(("address", "cluster"), [(None, None), ("", None), ("local", None), ("node:6379", "node:6379")])
def test_the_environment_s_cluster_is_one_that_runs_already(
    address: str | None, cluster: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `local` Ray means one that it starts, open to others: a run has its own then."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if address is not None:
        monkeypatch.setenv("RAY_ADDRESS", address)
    assert cluster_of(2) == cluster_of("auto") == cluster
    assert cluster_of("ray://host:10001") == "ray://host:10001"


@pytest.mark.skipif(not WITH_RAY, reason="needs the extra ray")
@pytest.mark.parametrize("port", [None, 99999])
def test_a_cluster_that_nobody_answers_for_is_told_at_once(port: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Ray is imported, which tries for many minutes."""
    with socket.socket() as taken:  # bound, and not listening
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{port or taken.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(InputError, match=rf"^{address}: the cluster can't be used \(.*\); check that"), joined(1, []):
            pass


def test_what_a_run_goes_on_with_is_kept_where_only_the_copy_of_its_store_is_left(place: Path, tmp_path: Path) -> None:
    run = create_run(load_recipe(write_recipe(place)), out=tmp_path / "run")
    (run / STORE).rename(run / COPY)
    restored = keep_workers(run, "none")
    assert restored is not None
    assert "goes on from the copy" in restored
    with closing(read_store(run)) as store:
        assert read_facts(store).workers_wanted == "none"
    assert keep_workers(run, "none") is None


def test_without_the_extra_one_line_says_what_to_install(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_extra, "find_spec", lambda _: None)
    recipe = load_recipe(write_recipe(place))
    assert with_workers(recipe, None) == recipe
    with pytest.raises(InputError, match=r"^workers need Ray, which isn't installed; .*pip install 'evomerge-tui\[ray\]'"):
        with_workers(recipe, "2")
