"""A store is read without writing: in folders that can't be written, with a log that no job has taken in, and when damaged."""

from __future__ import annotations

import shutil
import sqlite3
import struct
from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.run.store.connection import DamagedStore
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.store.store import Store
from evomerge_core.run.store.write_ahead_log import with_log
from support.run_plans import add_child, save_score


def killed(folder: Path, children: int = 5) -> Path:
    """The files that a killed job leaves: some of what it wrote is in the log alone."""
    place = folder / "job"
    place.mkdir()
    store = Store(place / "run.db", create=True)
    for number in range(children):
        save_score(store, add_child(store, number), number % 3, 8)
        store.set_facts(generation=number)
    left = folder / "left"
    left.mkdir()
    for name in ("run.db", "run.db-wal"):
        shutil.copy(place / name, left / name)
    store.close()
    return left / "run.db"


def rows(connection: sqlite3.Connection) -> list[list[object]]:
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    return [[name, *connection.execute(f"SELECT * FROM {name}").fetchall()] for name in tables]


@pytest.mark.parametrize("cut", [0, 1, 100, 5000, 40_000, 10**9])
def test_the_log_is_applied_as_sqlite_does_it(tmp_path: Path, cut: int) -> None:
    """SQLite itself is the oracle, also for a log whose end is missing or isn't what was written."""
    path = killed(tmp_path)
    log = path.with_name("run.db-wal")
    whole = log.read_bytes()
    log.write_bytes(whole[: max(0, len(whole) - cut)])
    if cut == 100:
        log.write_bytes(whole[:-200] + bytes(100) + whole[-100:])
    ours = sqlite3.connect(":memory:")
    ours.deserialize(with_log(path.read_bytes(), log.read_bytes()))
    found = rows(ours)
    assert found == rows(sqlite3.connect(path))
    assert len(whole) > 40_000


def test_a_log_adds_no_more_than_it_holds(tmp_path: Path) -> None:
    """One that speaks of 2**31 pages, with sums that are right, would take terabytes."""
    path = killed(tmp_path)
    log = bytearray(path.with_name("run.db-wal").read_bytes())
    size = struct.unpack(">I", log[8:12])[0]
    # the last frame is the last transaction's end
    sums = struct.unpack(">2I", log[-2 * (24 + size) + 16 : -2 * (24 + size) + 24])
    log[-(24 + size) + 4 : -(24 + size) + 8] = struct.pack(">I", 2**31)
    order = ">" if log[3] & 1 else "<"
    for part in (log[-(24 + size) : -(24 + size) + 8], log[-size:]):
        for first, second in struct.iter_unpack(f"{order}2I", part):
            sums = ((one := (sums[0] + first + sums[1]) & 0xFFFFFFFF), (sums[1] + second + one) & 0xFFFFFFFF)
    log[-(24 + size) + 16 : -(24 + size) + 24] = struct.pack(">2I", *sums)
    whole = with_log(path.read_bytes(), bytes(log))
    assert len(whole) <= path.stat().st_size + len(log)
    ours = sqlite3.connect(":memory:")
    ours.deserialize(whole)
    assert rows(ours) == rows(sqlite3.connect(path))


def test_a_reader_leaves_a_killed_jobs_files_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = killed(tmp_path)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    connect = sqlite3.connect

    def no_index(address: Path | str, **options: object) -> sqlite3.Connection:
        """Where the folder can't be written, SQLite can't make the log's index."""
        if str(address).endswith("mode=ro"):
            raise sqlite3.OperationalError("unable to open database file")
        return connect(address, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(sqlite3, "connect", no_index)
    store = Store(path, read_only=True)
    assert (read_facts(store).generation, len(store.candidates()), len(store.outcomes())) == (4, 5, 5)
    store.close()
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before
    path.with_name("run.db-wal").unlink()
    with pytest.raises(DamagedStore):
        Store(path, read_only=True)


def test_a_reader_sees_what_a_living_job_writes_and_cannot_write(tmp_path: Path) -> None:
    job = Store(tmp_path / "run.db", create=True)
    reader = Store(tmp_path / "run.db", read_only=True)
    job.set_facts(generation=3)
    assert read_facts(reader).generation == 3
    with pytest.raises(InputError, match=r"run\.db: can't be used \(attempt to write a readonly database\)"):
        reader.set_facts(generation=4)


def test_a_reader_supplies_the_tables_of_a_later_version(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    store = Store(path, create=True)
    save_score(store, add_child(store, 0), 2, 8)
    store.close()
    with sqlite3.connect(path) as connection:
        connection.executescript("DROP TABLE marks; DROP TABLE passes; PRAGMA journal_mode = DELETE")
    before = path.read_bytes()
    reader = Store(path, read_only=True)
    assert [(outcome.label, outcome.items, outcome.mark) for outcome in reader.outcomes()] == [("g1.1", 8, None)]
    assert reader.recent_passes(3) == []
    reader.close()
    assert path.read_bytes() == before


def read_all(path: Path, *, read_only: bool) -> None:
    store = Store(path, read_only=read_only)
    store.require_sound()
    store.outcomes()


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(("at", "put"), [(0, b"\0" * 100), (4096, b"\xff" * 8192), (5000, None), (0, None)])
def test_a_damaged_store_is_one_line(tmp_path: Path, at: int, put: bytes | None, read_only: bool) -> None:
    path = tmp_path / "run.db"
    store = Store(path, create=True)
    for number in range(40):
        save_score(store, add_child(store, number), number % 3, 8)
    store.close()
    data = path.read_bytes()
    path.write_bytes(data[:at] if put is None else data[:at] + put + data[at + len(put) :])
    with pytest.raises(DamagedStore, match=r"run\.db: is damaged \(") as caught:
        read_all(path, read_only=read_only)
    assert "\n" not in str(caught.value)
    assert f"evomerge-tui resume {tmp_path}" in str(caught.value)


@pytest.mark.parametrize("value", ["", "{", "[1,", "NaNa"])
def test_a_fact_that_is_not_json_is_damage(tmp_path: Path, value: str) -> None:
    store = Store(tmp_path / "run.db", create=True)
    store.set_facts(state="running")
    with sqlite3.connect(tmp_path / "run.db") as connection:
        connection.execute("UPDATE facts SET value = ?", (value,))
    with pytest.raises(DamagedStore, match="is not JSON"):
        read_facts(store)
