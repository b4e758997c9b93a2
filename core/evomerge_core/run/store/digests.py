"""A digest of each table, kept with every write: a value that something else has changed in the file is noticed.

SQLite finds damage of its own structures, but not another number or letter in a row. The digest of a table is how many rows it
has and the sum of their checksums, whatever their order.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Container, Iterator
from typing import Any

from evomerge_core.run.store.connection import Connection, says_why
from evomerge_core.run.store.tables.schema import known_tables, table_names

# Rows that are read together.
_AT_ONCE = 1000
_ADD = "UPDATE digests SET rows = rows {sign} 1, sum = sum {sign} row_checksum({values}) WHERE name = {table};"


def make_digests(connection: Connection, tables: list[str]) -> None:
    """Begins the digests of tables that are empty. A store of an earlier version has none, and is read without."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS digests (name TEXT PRIMARY KEY, rows INTEGER NOT NULL, sum INTEGER NOT NULL)"
    )
    # one that is there says that its table was removed
    connection.executemany("INSERT OR IGNORE INTO digests VALUES (?, 0, 0)", [(table,) for table in tables])


def keep_digests(connection: Connection) -> None:
    """Has a connection that writes keep the digests, if the store has them, in the transaction of what is written."""
    if not has_digests(connection):
        return
    connection.create_function("row_checksum", -1, lambda *row: _checksum(row), deterministic=True)
    # a row that another replaces is told too
    connection.execute("PRAGMA recursive_triggers = ON")
    for table in sorted(known_tables() & {*table_names(connection)}):
        columns = [row["name"] for row in connection.execute(f"PRAGMA main.table_info({_quoted(table)})")]
        less, more = (
            _ADD.format(
                sign=sign, table=_quoted(table, "'"), values=", ".join(f"{row}.{_quoted(column)}" for column in columns)
            )
            for sign, row in (("-", "OLD"), ("+", "NEW"))
        )
        for event, change in (("INSERT", more), ("DELETE", less), ("UPDATE", less + more)):
            # temporary: the file itself needs no function that SQLite doesn't have
            trigger = f"{_quoted(f'{table}_{event}')} AFTER {event} ON main.{_quoted(table)}"
            connection.execute(f"CREATE TEMP TRIGGER {trigger} BEGIN {change} END")


def altered_table(connection: Connection, but: Container[str] = ()) -> str | None:
    """Reads every row of the file, `but` those of some tables; the first table whose rows aren't those that were written, None
    where all are.

    What can't be read at all raises DamagedStore.
    """
    connection.execute("BEGIN")
    try:
        tables = [row["name"] for row in connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'")]
        digests = _digests(connection)
        if digests is not None and not known_tables() & {*tables} <= {*digests}:
            return "digests"
        found = {table: _digest_of(connection, table) for table in tables if table not in but}
    finally:
        connection.execute("COMMIT")
    kept = ((table, digest) for table, digest in (digests or {}).items() if table not in but)
    return next((str(table) for table, digest in kept if found.get(table) != digest), None)


def _digests(connection: Connection) -> dict[str, tuple[int, int]] | None:
    if not has_digests(connection):
        return None
    return {row["name"]: (row["rows"], row["sum"]) for row in connection.execute("SELECT name, rows, sum FROM digests")}


def has_digests(connection: Connection) -> bool:
    """Whether the store has digests; those of earlier versions have none."""
    query = "SELECT count(*) FROM main.sqlite_schema WHERE name = 'digests'"
    return bool(connection.execute(query).fetchone()[0])


def _digest_of(connection: Connection, table: str) -> tuple[int, int]:
    count = total = 0
    for row in _rows(connection, table):
        count, total = count + 1, total + _checksum(row)
    return count, total


def _rows(connection: Connection, table: str) -> Iterator[tuple[Any, ...]]:
    found = connection.execute(f"SELECT * FROM main.{_quoted(table)}")
    with says_why(connection.path):
        while rows := found.fetchmany(_AT_ONCE):
            yield from (tuple(row) for row in rows)


def _quoted(name: object, mark: str = '"') -> str:
    """A name as SQL has it: in a damaged or prepared file it may be anything."""
    return f"{mark}{str(name).replace(mark, 2 * mark)}{mark}"


def _checksum(row: tuple[Any, ...]) -> int:
    """The same in every version of Python: JSON in ASCII, minus zero as the zero that SQLite makes of it."""
    values = [value + 0.0 if isinstance(value, float) else value for value in row]
    return zlib.crc32(json.dumps(values, default=repr).encode("ascii"))
