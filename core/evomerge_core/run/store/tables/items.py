"""The table of item scores."""

from __future__ import annotations

from collections.abc import Sequence

from evomerge_core.run.store.connection import Connection
from evomerge_core.run.store.records import ItemScore
from evomerge_core.run.store.tables.open_file import OpenFile


class Items(OpenFile):
    """What candidates answered, item by item."""

    def item_scores(self, candidate: int, split: str, precision: str) -> list[ItemScore]:
        """A candidate's (or its twin's) item scores, ordered by task and item."""
        rows = self._connection.execute(
            "SELECT task, item, value, loss, truncated, language_ok, tokens, answer FROM item_scores "
            "WHERE split = ? AND precision = ? AND candidate = (SELECT coalesce(twin, id) FROM candidates WHERE id = ?) "
            "ORDER BY task, item",
            (split, precision, candidate),
        )
        return [
            ItemScore(**{**dict(r), "truncated": bool(r["truncated"]), "language_ok": bool(r["language_ok"])}) for r in rows
        ]

    def count_items(self, candidate: int, split: str, precision: str) -> int:
        """How many items of a split a candidate (or its twin) was asked."""
        query = (
            "SELECT count(*) FROM item_scores WHERE split = ? AND precision = ? "
            "AND candidate = (SELECT coalesce(twin, id) FROM candidates WHERE id = ?)"
        )
        return int(self._connection.execute(query, (split, precision, candidate)).fetchone()[0])


def put_items(connection: Connection, candidate: int, split: str, precision: str, items: Sequence[ItemScore]) -> None:
    """Adds item scores, in the transaction that has begun."""
    rows = [
        (candidate, split, precision, i.task, i.item, i.value, i.loss, i.truncated, i.language_ok, i.tokens, i.answer)
        for i in items
    ]
    connection.executemany(f"INSERT INTO item_scores VALUES (?{', ?' * 10})", rows)
