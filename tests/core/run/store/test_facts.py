"""Facts keep their keys on disk, and candidates their stage: in stores of today and of the version before."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from evomerge_core.run.store.facts import Clock, batch_size, begin_phase, read_facts, write_facts, write_race
from evomerge_core.run.store.store import Store
from support.run_plans import add_child, save_score


def on_disk(path: Path) -> dict[str, str]:
    with sqlite3.connect(path) as connection:
        return dict(connection.execute("SELECT key, value FROM facts"))


def test_the_keys_on_disk_are_those_of_the_version_before(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    store = Store(path, create=True)
    write_facts(store, state="running", foretold={"seconds": 9.0, "tokens": 4.0}, stage_starts=[0, 3])
    write_race(store, 1, (4, 8))
    clock = Clock(active_seconds=1.5, build_seconds=0.5, precision="nf4", layers=24, batch_size=16)
    store.set_facts(**clock.as_facts())
    assert on_disk(path) == {
        "state": '"running"',
        "foretold": '{"seconds": 9.0, "tokens": 4.0}',
        "stage_starts": "[0, 3]",
        "race_sizes_1": "[4, 8]",
        "active_seconds": "1.5",
        "build_seconds": "0.5",
        "batch_size_nf4_24_layers": "16",
    }
    store.set_facts(stages=[{"name": "weights", "tie_break": "none"}, {"name": "paths"}])
    facts = read_facts(store)
    assert facts.estimated == {"seconds": 9.0, "tokens": 4.0}
    assert (facts.race_of(0), facts.race_of(1)) == (None, (4, 8))
    assert (facts.breaks_ties(0), facts.breaks_ties(1)) == (False, True)
    assert (batch_size(store, "nf4", 24), batch_size(store, "nf4")) == (16, None)


def test_a_new_run_has_defaults(tmp_path: Path) -> None:
    facts = read_facts(Store(tmp_path / "run.db", create=True))
    assert (facts.state, facts.precision, facts.precisions, facts.generation) == ("created", "nf4", ("nf4",), 0)
    assert (facts.winner, facts.mean, facts.races, facts.first_generation(0)) == (None, None, (None,), 0)


def test_a_phase_begins_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "run.db", create=True)
    for _ in range(2):
        begin_phase(store, "search", 8, 0, "weights")
    begin_phase(store, "test", 3)
    assert [data for _, _, _, data in store.events()] == [
        {"name": "search", "total": 8, "stage": "weights"},
        {"name": "test", "total": 3, "stage": None},
    ]


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A store of the version before, which had no stages: generations 0 to 2 are the first stage's, 3 the second's."""
    path = tmp_path / "run.db"
    store = Store(path, create=True)
    store.set_facts(stage_starts=[0, 3])
    store.add_candidate("parent", "first")
    for generation in range(4):
        save_score(store, add_child(store, 0, generation=generation), generation, 8)
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE candidates DROP COLUMN stage")
    return path


STAGES = {"first": None, "g1.1": 0, "g2.1": 0, "g3.1": 0, "g4.1": 1}


def test_an_older_store_is_given_the_stages(older: Path) -> None:
    store = Store(older)
    assert {c.label: c.stage for c in store.candidates()} == STAGES
    assert {o.label: o.stage for o in store.outcomes()} == {k: v for k, v in STAGES.items() if k != "first"}
    with sqlite3.connect(older) as connection:
        assert dict(connection.execute("SELECT label, stage FROM candidates")) == STAGES
    assert store.add_candidate("search", "g5.1", generation=4, position=0, stage=1).stage == 1


def test_an_older_store_that_cannot_be_written_is_read_alike(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect

    def read_only(path: Path, **options: Any) -> sqlite3.Connection:
        opened: sqlite3.Connection = connect(f"file:{path}?mode=ro", uri=True, **options)
        return opened

    monkeypatch.setattr(sqlite3, "connect", read_only)
    store = Store(older)
    assert {c.label: c.stage for c in store.candidates()} == STAGES
    assert {o.label: o.stage for o in store.outcomes()} == {k: v for k, v in STAGES.items() if k != "first"}
    monkeypatch.undo()
    with sqlite3.connect(older) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(candidates)")]
    assert "stage" not in columns


def test_candidates_that_an_older_job_adds_later_have_a_stage_too(older: Path) -> None:
    Store(older).close()
    with sqlite3.connect(older) as connection:
        connection.execute("INSERT INTO candidates (kind, label, generation, position) VALUES ('search', 'g5.1', 4, 0)")
    assert Store(older).candidates("search")[-1].stage == 1
