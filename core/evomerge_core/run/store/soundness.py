"""Whether a run's store is what was written."""

from __future__ import annotations

from evomerge_core.run.store.connection import Connection, DamagedStore
from evomerge_core.run.store.digests import altered_table
from evomerge_core.run.store.tables.schema import altered_columns


def require_sound(connection: Connection) -> None:
    """Raises DamagedStore when a look through the whole file finds damage: in SQLite's pages, in the tables' columns, in what
    can't be read, or in rows that aren't those that were written."""
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise DamagedStore(connection.path, " ".join(str(found).split()))
    altered = altered_columns(connection) or altered_table(connection)
    if altered is not None:
        raise DamagedStore(connection.path, f"its table {altered} isn't what was written")
