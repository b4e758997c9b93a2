"""What reading a run raises is damage, unless the run is known to be as it was written: then the reader is at fault."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.run.population.evolve import Additions, evolve
from evomerge_core.run.run_folder.folder import create_folder, open_store
from evomerge_core.run.store.connection import DamagedStore
from evomerge_core.run.store.facts import write_facts
from evomerge_core.run.view.asked_texts import read_asked_texts
from evomerge_core.run.view.progress import read_progress
from evomerge_core.run.view.sound_records import sound_records
from evomerge_core.run.view.voting import prompts_of, voting_now


@pytest.fixture
def run(tmp_path: Path) -> Path:
    create_folder(tmp_path / "run", "evomerge: 1\n", {})
    return tmp_path / "run"


def read_wrongly(run: Path) -> None:
    with sound_records(run):
        raise KeyError("winner")


def test_a_mistake_of_the_readers_stays_one(run: Path) -> None:
    with pytest.raises(KeyError):
        read_wrongly(run)


def test_altered_records_are_damage(run: Path) -> None:
    with closing(sqlite3.connect(run / "run.db")) as store:
        store.execute("UPDATE facts SET value = '7' WHERE key = 'state'")
        store.commit()
    with pytest.raises(DamagedStore, match="holds what no run writes, KeyError: 'winner'"):
        read_wrongly(run)


def test_a_result_that_the_run_has_not_written_is_damage(run: Path) -> None:
    (run / "winner").mkdir()
    (run / "winner" / "result.json").write_text("{}")
    with pytest.raises(DamagedStore):
        read_wrongly(run)


def test_progress_with_a_result_that_is_none_is_damage(tmp_path: Path) -> None:
    older = Path(shutil.copytree(Path(__file__).parents[2] / "tui" / "data" / "quickstart", tmp_path / "run"))
    assert read_progress(older).state == "finished"
    (older / "winner" / "result.json").write_text("{}")
    with pytest.raises(DamagedStore, match="KeyError: 'precision'"):
        read_progress(older)


def test_records_of_an_earlier_version_may_be_damaged(tmp_path: Path) -> None:
    older = Path(shutil.copytree(Path(__file__).parents[2] / "tui" / "data" / "quickstart", tmp_path / "run"))
    with pytest.raises(DamagedStore):
        read_wrongly(older)


_POLL = {"name": "generation 1", "candidates": [1, 2], "new": [1, 2], "until": 6}


@pytest.mark.parametrize(
    "poll",
    [{}, "generation 1", {**_POLL, "candidates": 6}, {**_POLL, "until": "six"}],
    ids=["empty", "text", "candidates", "until"],
)
def test_a_poll_that_is_none_is_damage(run: Path, poll: object) -> None:
    with closing(open_store(run)) as store:
        for place, label in enumerate(("first", "second")):
            store.add_candidate("search", label, generation=0, position=place)
        write_facts(store, poll=_POLL)
    assert voting_now(run, {}).ballot is None, "nobody has answered"
    with closing(sqlite3.connect(run / "run.db")) as altered:
        altered.execute("UPDATE facts SET value = ? WHERE key = 'poll'", (json.dumps(poll),))
        altered.commit()
    with pytest.raises(DamagedStore, match="holds what no run writes"):
        voting_now(run, {})


@pytest.mark.parametrize(("key", "value"), [("frozen_recipe", 2), ("item_hashes", {"sums": 1e308}), ("archives", [[0, "x"]])])
def test_an_archive_whose_records_were_altered_isnt_gone_on_from(run: Path, key: str, value: object) -> None:
    with closing(open_store(run)) as store:
        write_facts(store, state="finished", archives=[[0]])
    with closing(sqlite3.connect(run / "run.db")) as altered:
        altered.execute("INSERT OR REPLACE INTO facts (key, value) VALUES (?, ?)", (key, json.dumps(value)))
        altered.commit()
    with pytest.raises(DamagedStore):
        evolve(run, Additions([], None, run))


@pytest.mark.parametrize("read", [prompts_of, read_asked_texts])
def test_a_recipe_that_is_none_any_more_is_named(run: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(InputError, match=rf"{re.escape(str(run / 'recipe.yaml'))}:1: key '\w+' is missing; add it"):
        read(run)
