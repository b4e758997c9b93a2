"""Whether a run's store is what was written."""

from __future__ import annotations

from collections.abc import Container

from evomerge_core.run.store.connection import Connection, DamagedStore, has_unknown_format
from evomerge_core.run.store.digests import altered_table
from evomerge_core.run.store.tables.schema import altered_structure


def require_sound(connection: Connection, but: Container[str] = ()) -> None:
    """Raises DamagedStore when a look through the whole file finds damage: in SQLite's header and pages, in the tables' columns
    and keys, in what can't be read, or in rows that aren't those that were written.

    With `but` the pages aren't looked through, nor the rows of these tables.
    """
    if has_unknown_format(connection.path):
        raise DamagedStore(connection.path, "its header names a format that SQLite doesn't write")
    found = "ok" if but else connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise DamagedStore(connection.path, " ".join(str(found).split()))
    altered = altered_structure(connection) or altered_table(connection, but)
    if altered is not None:
        raise DamagedStore(connection.path, f"its table {altered} isn't what was written")
