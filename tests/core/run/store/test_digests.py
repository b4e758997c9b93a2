"""A value that something else has changed in a store's file is noticed; what SQLite reads there is the oracle."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from evomerge_core.run.store.connection import DamagedStore
from evomerge_core.run.store.records import Evaluation, ItemScore, Pass, Vote
from evomerge_core.run.store.store import Store

QUICKSTART = Path(__file__).parents[3] / "tui" / "data" / "quickstart" / "run.db"


def fill(store: Store) -> None:
    """Rows in every table: written, written over, replaced and removed."""
    store.set_facts(state="running", generation=1, mean=[0.5, -0.0, 1e-300])
    store.set_facts(generation=2)
    for number in range(6):
        child = store.add_candidate("search", f"g1.{number}", generation=0, position=number, genome=[0.1 * number, -0.0])
        losses = (None, -0.0, 1.0, 0.1)
        items = [ItemScore("sums", f"é{loss}", 1, loss, False, True, 3, "a" * 900) for loss in losses]
        passed = Pass("search", "nf4", 9, 27, 0, 1, generation=0, rung=0, scored_on="CPU, float32")
        result = Evaluation(True, float("inf"), None, 1, 27)
        store.save_evaluation(child.id, "search", "nf4", result, items, passed=passed, mark="it repeats itself")
    store.save_evaluation(1, "search", "nf4", Evaluation(None, None, "no answer \x00 \U0001f469", 2.5, 0), [], replace=True)
    store.add_vote(Vote("g1", "é", 1, 2, "tie", None, "person", 0.5))
    store.close_poll("g1", {1: 0.5, 2: 0.1}, task="sums", precision="nf4", scores={2: 0.3}, votes=1)
    store.add_command("pause")
    store.take_commands()
    store.add_command("stop")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    store = Store(tmp_path / "run.db", create=True)
    fill(store)
    store.close()
    return tmp_path / "run.db"


def look(path: Path) -> None:
    with closing(Store(path, read_only=True)) as store:
        store.require_sound()


def contents(path: Path) -> list[list[Any]]:
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        return [[name, *connection.execute(f"SELECT * FROM {name}")] for name in names if name != "digests"]


def test_what_the_store_writes_is_sound(path: Path) -> None:
    look(path)
    # a connection of its own adds to the same digests
    store = Store(path)
    store.set_facts(generation=3)
    with store._transaction() as connection:
        connection.execute("DELETE FROM item_scores WHERE candidate = 2")
    store.require_sound()
    store.close()
    look(path)


def test_a_flipped_bit_is_noticed_or_changes_nothing(path: Path, tmp_path: Path) -> None:
    sound, before = path.read_bytes(), contents(path)
    draw = random.Random(16)
    broken = tmp_path / "broken" / "run.db"
    broken.parent.mkdir()
    noticed = 0
    for _ in range(1500):
        data = bytearray(sound)
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        broken.write_bytes(data)
        try:
            look(broken)
        except DamagedStore:
            noticed += 1
        else:
            assert contents(broken) == before
    # the rest fell on what is free in small tables' pages
    assert noticed > 400


def test_every_column_of_every_table_is_looked_at(path: Path) -> None:
    sound = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        tables = {table: connection.execute(f"SELECT * FROM {table} LIMIT 1").description for table, *_ in contents(path)}
    assert sum(map(len, tables.values())) > 40
    for table, columns in tables.items():
        for column, *_ in columns:
            path.write_bytes(sound)
            with closing(sqlite3.connect(path)) as connection:
                connection.execute(f"UPDATE OR IGNORE {table} SET {column} = 12345")
                connection.commit()
            with pytest.raises(DamagedStore, match=f"its table {table} isn't what was written"):
                look(path)


def test_rows_that_come_and_go_are_noticed(path: Path) -> None:
    sound = path.read_bytes()
    for change in ("DELETE FROM marks WHERE candidate = 2", "INSERT INTO marks VALUES (9, 'search', 'nf4', 'x')"):
        path.write_bytes(sound)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(change)
            connection.commit()
        with pytest.raises(DamagedStore, match="its table marks isn't what was written"):
            look(path)


def test_what_was_taken_back_is_not_counted(path: Path) -> None:
    store = Store(path)
    unstorable = {"generation": 9, "mean": object()}
    with pytest.raises(TypeError):
        store.set_facts(**unstorable)
    bad = ItemScore("sums", "new", None, None, False, True, 3, "a")  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        store.save_evaluation(2, "test", "nf4", Evaluation(1.0, None, None, 1.0, 3), [bad])
    assert store.evaluation(2, "test", "nf4") is None
    store.require_sound()
    store.close()


def test_a_store_of_an_earlier_version_is_read_and_written_without(tmp_path: Path) -> None:
    older = tmp_path / "run.db"
    shutil.copy(QUICKSTART, older)
    before = [rows[0] for rows in contents(older)]
    store = Store(older)
    store.set_facts(generation=7)
    store.require_sound()
    store.close()
    look(older)
    # also where it is put in the place of a damaged one
    Store(older, create=True).close()
    look(older)
    with closing(sqlite3.connect(older)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert {*before} <= names
    assert "digests" not in names


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # a renamed column, another type, no key; the same length, so that the file stays one
        (b"label TEXT", b"lapel TEXT"),
        (b"tokens INTEGER NOT NULL,\n    finished", b"tokens INTEGER_NOT NULL,\n    finished"),
        (b"(key TEXT", b"(kez TEXT"),
    ],
)
def test_another_column_is_noticed(path: Path, before: bytes, after: bytes) -> None:
    data = path.read_bytes()
    assert before in data
    changed = data.replace(before, after)
    path.write_bytes(changed)
    with pytest.raises(DamagedStore):
        look(path)


def test_names_in_a_prepared_store_are_names_and_no_sql(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("""CREATE TABLE "a""b" (x)""")
        connection.commit()
    look(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("""UPDATE digests SET name = 'fa"ct''s' WHERE name = 'facts'""")
        connection.commit()
    for read_only in (True, False):
        with pytest.raises(DamagedStore), closing(Store(path, read_only=read_only)) as store:
            store.require_sound()


def test_a_file_of_another_format_is_damage(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:47] + b"\x05" + data[48:])
    with pytest.raises(DamagedStore):
        look(path)


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    "prepared",
    [
        "ALTER TABLE facts RENAME TO kept; CREATE VIEW facts AS SELECT * FROM kept",
        "CREATE VIEW further AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
        "CREATE TRIGGER t AFTER INSERT ON commands BEGIN DELETE FROM facts; END",
        "DROP TABLE marks; CREATE VIRTUAL TABLE marks USING fts5 (candidate, split, precision, reason)",
        "ALTER TABLE facts ADD COLUMN long TEXT AS (hex(zeroblob(100000000)))",
        "CREATE TABLE further (x CHECK (x > 1))",
        "CREATE TABLE further (x DEFAULT (hex(zeroblob(100000000))))",
        "CREATE INDEX further ON facts (length(value))",
        "CREATE INDEX further ON facts (key) WHERE value > 1",
    ],
)
def test_a_store_that_works_out_strangers_sql_is_refused(path: Path, prepared: str, read_only: bool) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(prepared)
    with pytest.raises(DamagedStore, match="which no run makes"):
        Store(path, read_only=read_only)


def test_what_a_later_version_may_add_does_no_harm(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE further (x INTEGER DEFAULT 0); CREATE INDEX faster ON evaluations (split, precision); ANALYZE"
        )
    look(path)


@pytest.mark.parametrize(
    ("key", "without"),
    [("UNIQUE (kind, label),", ""), ("PRIMARY KEY (candidate, split, precision, task, item)", "CHECKED INT")],
)
def test_a_table_without_its_keys_is_noticed(path: Path, key: str, without: str) -> None:
    """Writing would end in SQLite's own error, or in rows that are there twice."""
    with closing(sqlite3.connect(path)) as connection:
        table, made = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql LIKE ?", (f"%{key}%",)).fetchone()
        assert key in made
        connection.execute(f"ALTER TABLE {table} RENAME TO before")
        connection.execute(made.replace(key, without).replace("WITHOUT ROWID", ""))
        columns = ", ".join(row[1] for row in connection.execute("PRAGMA table_info(before)"))
        connection.execute(f"INSERT INTO {table} ({columns}) SELECT * FROM before")
        connection.execute("DROP TABLE before")
        connection.commit()
    with pytest.raises(DamagedStore, match=f"its table {table} isn't what was written"):
        look(path)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM digests",
        "DELETE FROM digests WHERE name = 'item_scores'",
        "UPDATE digests SET name = 'digests' WHERE name = 'facts'",
        "INSERT INTO digests VALUES ('sqlite_schema', 0, 0)",
        "INSERT INTO digests VALUES ('digests', 0, 0)",
        "INSERT INTO digests VALUES (NULL, x'00', 'x')",
        "UPDATE digests SET sum = 9223372036854775807",
        "UPDATE digests SET rows = 'many'",
        "DROP TABLE passes",
    ],
)
def test_other_digests_are_noticed(path: Path, change: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(change)
        connection.commit()
    with pytest.raises(DamagedStore, match=r"its table \w+ isn't what was written"):
        look(path)
    with pytest.raises(DamagedStore, match=r"its table \w+ isn't what was written"), closing(Store(path)) as store:
        store.require_sound()
