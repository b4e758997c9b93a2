"""The tables of a run's store, and those that a reader of an earlier version's store does without."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from functools import cache
from typing import NamedTuple

from evomerge_core.run.store.connection import Connection, DamagedStore


class _Made(NamedTuple):
    """How a table is made: by name a column's type, whether it must have a value, and its place in the key; and which columns
    no two rows have alike."""

    columns: dict[str, tuple[str, int, int]]
    keys: frozenset[tuple[str, ...]]


SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS candidates (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    generation INTEGER,
    position INTEGER,
    genome TEXT,
    twin INTEGER REFERENCES candidates (id),
    stage INTEGER,
    UNIQUE (kind, label),
    UNIQUE (generation, position)
);
CREATE TABLE IF NOT EXISTS evaluations (
    candidate INTEGER NOT NULL REFERENCES candidates (id),
    split TEXT NOT NULL,
    precision TEXT NOT NULL,
    score REAL,
    loss REAL,
    failure TEXT,
    seconds REAL NOT NULL,
    tokens INTEGER NOT NULL,
    finished REAL NOT NULL,
    PRIMARY KEY (candidate, split, precision)
);
CREATE TABLE IF NOT EXISTS item_scores (
    candidate INTEGER NOT NULL,
    split TEXT NOT NULL,
    precision TEXT NOT NULL,
    task TEXT NOT NULL,
    item TEXT NOT NULL,
    value REAL NOT NULL,
    loss REAL,
    truncated INTEGER NOT NULL,
    language_ok INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    answer TEXT NOT NULL,
    PRIMARY KEY (candidate, split, precision, task, item)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS passes (
    id INTEGER PRIMARY KEY,
    candidate INTEGER NOT NULL REFERENCES candidates (id),
    split TEXT NOT NULL,
    precision TEXT NOT NULL,
    generation INTEGER,
    rung INTEGER,
    items INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    load_seconds REAL NOT NULL,
    seconds REAL NOT NULL,
    failure TEXT,
    loss REAL,
    finished REAL NOT NULL,
    UNIQUE (candidate, split, precision, generation, rung)
);
CREATE TABLE IF NOT EXISTS devices (pass INTEGER PRIMARY KEY REFERENCES passes (id), scored_on TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS marks (
    candidate INTEGER NOT NULL,
    split TEXT NOT NULL,
    precision TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (candidate, split, precision)
);
CREATE TABLE IF NOT EXISTS votes (
    id INTEGER PRIMARY KEY,
    poll TEXT NOT NULL,
    item TEXT NOT NULL,
    first INTEGER NOT NULL,
    second INTEGER NOT NULL,
    choice TEXT NOT NULL,
    again TEXT,
    voter TEXT NOT NULL,
    at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS ratings (
    poll TEXT NOT NULL,
    candidate INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (poll, candidate)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS commands (id INTEGER PRIMARY KEY, at REAL NOT NULL, name TEXT NOT NULL, acknowledged REAL);
"""

# The column that an earlier version's candidates don't have.
_LATER = ("candidates", "stage")
# What SQLite works out when rows are read or written: no table or index of this program's has it.
_WORKED_OUT = re.compile(r"\b(check|generated|virtual|as|where)\b|\bdefault\s*\(", re.IGNORECASE)


def table_names(connection: Connection) -> list[str]:
    """The tables in the file."""
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    return [row["name"] for row in rows]


def supply_tables(connection: Connection) -> None:
    """Gives a reader the tables that an earlier version did not make, empty and in memory."""
    known = table_names(connection)
    if not known:
        raise DamagedStore(connection.path, "it holds no tables")
    for made in SCHEMA.split(";"):
        name = made.removeprefix("\nCREATE TABLE IF NOT EXISTS ").split(" ")[0]
        if made.strip() and name not in known:
            connection.execute(made.replace("CREATE TABLE", "CREATE TEMP TABLE"))


def require_plain(connection: Connection) -> None:
    """Raises DamagedStore for a file that somebody has prepared: with views, triggers, virtual tables, or columns, conditions
    and indexes that are worked out, SQLite would carry out a stranger's SQL for whoever reads or writes it."""
    for row in connection.execute("SELECT type, name, sql FROM main.sqlite_schema"):
        made = str(row["sql"] or "")
        # an index of more than columns has another bracket
        is_index = row["type"] == "index" and made.count("(") <= 1
        if not (row["type"] == "table" or is_index) or _WORKED_OUT.search(made):
            raise DamagedStore(connection.path, f"it holds {row['type']} {row['name']}, which no run makes"[:200])


def altered_structure(connection: Connection) -> str | None:
    """The first table of the file whose columns or keys aren't those that it was made with; None where all are. A later
    version's further columns do no harm."""
    for table, made in _made().items():
        found = _structure(connection, table)
        missing = {name for name in made.columns if found.columns.get(name) != made.columns[name]}
        is_known = missing <= ({_LATER[1]} - {*found.columns} if table == _LATER[0] else set())
        if found.columns and not (is_known and found.keys == made.keys):
            return table
    return None


def known_tables() -> frozenset[str]:
    """The tables that a run's store has."""
    return frozenset(_made())


@cache
def _made() -> dict[str, _Made]:
    with closing(sqlite3.connect(":memory:")) as store:
        store.executescript(SCHEMA)
        names = [name for (name,) in store.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        return {name: _structure(store, name) for name in names}


def _structure(connection: sqlite3.Connection, table: str) -> _Made:
    query = """SELECT name, type, "notnull", pk FROM pragma_table_info(?, 'main')"""
    columns = {name: (kind, needed, place) for name, kind, needed, place in connection.execute(query, (table,))}
    unique = connection.execute("""SELECT name FROM pragma_index_list(?, 'main') WHERE "unique" """, (table,)).fetchall()
    order = "SELECT name FROM pragma_index_info(?, 'main') ORDER BY seqno"
    keys = frozenset(tuple(name for (name,) in connection.execute(order, (index,))) for (index,) in unique)
    return _Made(columns, keys)
