"""The tables of a run's store, and those that a reader of an earlier version's store does without."""

from __future__ import annotations

from evomerge_core.run.store.connection import Connection, DamagedStore

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
CREATE TABLE IF NOT EXISTS marks (
    candidate INTEGER NOT NULL,
    split TEXT NOT NULL,
    precision TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (candidate, split, precision)
);
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS commands (id INTEGER PRIMARY KEY, at REAL NOT NULL, name TEXT NOT NULL, acknowledged REAL);
"""


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
