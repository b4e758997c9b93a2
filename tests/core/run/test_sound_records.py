"""What reading a run raises is damage, unless the run is known to be as it was written: then the reader is at fault."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from evomerge_core.run.run_folder.folder import create_folder
from evomerge_core.run.store.connection import DamagedStore
from evomerge_core.run.view.sound_records import sound_records


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


def test_records_of_an_earlier_version_may_be_damaged(tmp_path: Path) -> None:
    older = Path(shutil.copytree(Path(__file__).parents[2] / "tui" / "data" / "quickstart", tmp_path / "run"))
    with pytest.raises(DamagedStore):
        read_wrongly(older)
