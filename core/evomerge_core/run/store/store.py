"""The run's store: one SQLite file that the job writes while screens and commands read it."""

from __future__ import annotations

import time
from collections.abc import Container
from pathlib import Path

from evomerge_core.run.store.connection import DamagedStore, connect, connect_to_read, is_outdated
from evomerge_core.run.store.copies import copy_store
from evomerge_core.run.store.digests import has_digests, keep_digests, make_digests
from evomerge_core.run.store.soundness import require_sound
from evomerge_core.run.store.tables.evaluations import Evaluations
from evomerge_core.run.store.tables.events import Events
from evomerge_core.run.store.tables.items import Items
from evomerge_core.run.store.tables.passes import Passes
from evomerge_core.run.store.tables.results import Results
from evomerge_core.run.store.tables.schema import SCHEMA, require_plain, supply_tables, table_names
from evomerge_core.run.store.tables.votes import Votes

# The tables that grow with every answer.
ANSWERS = ("item_scores",)


class Store(Evaluations, Items, Passes, Results, Votes, Events):
    """Reads and writes a run's store; every write is one transaction. Any number of processes may read.

    `read_only`: nothing is written into the run's folder, whatever the version that made the store. `copy`: where `keep_copy`
    keeps a copy that a damaged store is made again from. Every error of the file is an InputError, but for a locked one.
    """

    def __init__(self, path: Path, *, create: bool = False, read_only: bool = False, copy: Path | None = None) -> None:
        if not create and not path.exists():
            raise FileNotFoundError(path)
        if not create and path.stat().st_size == 0:
            # to SQLite it is a new file
            raise DamagedStore(path, "it is empty")
        super().__init__(path, connect_to_read(path) if read_only else connect(path))
        self._copy, self._copied, self._refused = copy, 0.0, False
        try:
            require_plain(self._connection)
            self._open_to_read() if read_only else self._open_to_write(create=create)
        except BaseException:
            self.close()
            raise

    def _open_to_read(self) -> None:
        # what is supplied must not need a disk
        self._connection.execute("PRAGMA temp_store = MEMORY")
        supply_tables(self._connection)
        self._has_stages = self._keeps_stages()

    def _open_to_write(self, *, create: bool) -> None:
        self._connection.execute("PRAGMA temp_store = MEMORY")
        if create:
            self._connection.execute("PRAGMA journal_mode = WAL")
        before = table_names(self._connection)
        # also the tables that an earlier version did not make
        self._connection.executescript(SCHEMA)
        self._connection.execute("PRAGMA synchronous = FULL")
        if (create and not before) or has_digests(self._connection):
            make_digests(self._connection, sorted({*table_names(self._connection)} - {*before}))
        self._has_stages = self._add_stages()
        keep_digests(self._connection)

    def is_outdated(self) -> bool:
        """Whether a reader no longer sees what is written into the file, and has to be opened again."""
        return is_outdated(self._connection)

    def keep_copy(self, *, unless_within: float = 0.0) -> None:
        """Copies the store to the place of copies, if it has one: whole or not at all, and not again within some seconds.

        The copy before is kept where there is no room for another, which an event says once. Raises DamagedStore where the
        store has been damaged since.
        """
        if self._copy is None or (self._copied and time.monotonic() - self._copied < unless_within):
            return
        refused = copy_store(self._connection, self._copy)
        if refused is not None and not self._refused:
            self.add_event("uncopied", text=f"no copy of the store could be made: {refused}")
        self._refused = refused is not None
        self._copied = time.monotonic()

    def require_sound(self, *, but: Container[str] = ()) -> None:
        """Raises DamagedStore when a look through the whole file finds damage; with `but` through its header, its tables'
        structure and all rows but those of some tables."""
        require_sound(self._connection, but)

    def is_as_written(self) -> bool:
        """Whether every row is known to be what this program wrote; of an earlier version's store that isn't known."""
        try:
            require_sound(self._connection)
        except DamagedStore:
            return False
        return has_digests(self._connection)
