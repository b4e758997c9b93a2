"""The table of facts: single values such as the state of the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evomerge_core.run.store.connection import Connection
from evomerge_core.run.store.tables.open_file import OpenFile


class Facts(OpenFile):
    """Facts by key; `store/facts.py` knows the keys and their types."""

    def fact(self, key: str, default: Any = None) -> Any:
        row = self._connection.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return default if row is None else self._json(row["value"])

    def facts(self) -> dict[str, Any]:
        """All facts by key."""
        rows = self._connection.execute("SELECT key, value FROM facts").fetchall()
        return {row["key"]: self._json(row["value"]) for row in rows}

    def set_facts(self, **facts: Any) -> None:
        with self._transaction() as c:
            put_facts(c, facts)


def put_facts(connection: Connection, facts: Mapping[str, Any]) -> None:
    """Sets facts, in the transaction that has begun."""
    rows = [(key, json.dumps(value)) for key, value in facts.items()]
    connection.executemany("INSERT INTO facts VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", rows)
