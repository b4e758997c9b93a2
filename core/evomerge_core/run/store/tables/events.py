"""The tables of events, which the job tells, and of commands, which it is told."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from evomerge_core.run.store.connection import Connection
from evomerge_core.run.store.tables.open_file import OpenFile


class Events(OpenFile):
    """Events, and commands that wait to be acknowledged by one."""

    def add_event(self, kind: str, **data: Any) -> None:
        with self._transaction() as c:
            put_event(c, time.time(), kind, data)

    def events(self, after: int = 0) -> list[tuple[int, float, str, dict[str, Any]]]:
        """Events after number `after`: (number, unix time in seconds, kind, data)."""
        rows = self._connection.execute("SELECT * FROM events WHERE id > ? ORDER BY id", (after,))
        return [(row["id"], row["at"], row["kind"], self._json(row["data"])) for row in rows]

    def last_event(self) -> int:
        """The number of the last event; 0 when there is none."""
        return int(self._connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0])

    def last_event_time(self) -> float | None:
        """Unix time of the last event, in seconds."""
        at = self._connection.execute("SELECT max(at) FROM events").fetchone()[0]
        return None if at is None else float(at)

    def add_command(self, name: str) -> int:
        with self._transaction() as c:
            return int(c.execute("INSERT INTO commands (at, name) VALUES (?, ?)", (time.time(), name)).lastrowid or 0)

    def is_acknowledged(self, command: int) -> bool:
        row = self._connection.execute("SELECT acknowledged FROM commands WHERE id = ?", (command,)).fetchone()
        return row["acknowledged"] is not None

    def waiting_commands(self) -> list[str]:
        """The commands that the job has not acknowledged yet, oldest first."""
        return [
            row["name"] for row in self._connection.execute("SELECT name FROM commands WHERE acknowledged IS NULL ORDER BY id")
        ]

    def take_commands(self) -> list[str]:
        """The commands not yet acknowledged, oldest first; each is acknowledged with an event."""
        return self._acknowledge("command")

    def drop_commands(self) -> None:
        """Forgets the commands not yet acknowledged; each is told in an event."""
        self._acknowledge("dropped")

    def _acknowledge(self, event: str) -> list[str]:
        with self._transaction() as c:
            rows = c.execute("SELECT id, name FROM commands WHERE acknowledged IS NULL ORDER BY id").fetchall()
            for row in rows:
                c.execute("UPDATE commands SET acknowledged = ? WHERE id = ?", (time.time(), row["id"]))
                put_event(c, time.time(), event, {"name": row["name"]})
        return [row["name"] for row in rows]


def put_event(connection: Connection, at: float, kind: str, data: Mapping[str, Any]) -> None:
    """Adds an event of a unix time in seconds, in the transaction that has begun."""
    connection.execute("INSERT INTO events (at, kind, data) VALUES (?, ?, ?)", (at, kind, json.dumps(data)))
