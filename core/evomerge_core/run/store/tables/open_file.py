"""A run's SQLite file that is open: what every table needs of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evomerge_core.run.store.connection import Connection, DamagedStore


class OpenFile:
    """The file and its connection."""

    def __init__(self, path: Path, connection: Connection) -> None:
        self._path, self._connection = path, connection

    def close(self) -> None:
        self._connection.close()

    def _json(self, text: str) -> Any:
        try:
            return json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise DamagedStore(self._path, f"{text!r:.40} is not JSON") from error

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            # SQLite has taken some failed transactions back by itself
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
