"""The table of passes: every time that a candidate was merged, loaded and asked."""

from __future__ import annotations

from dataclasses import asdict, fields

from evomerge_core.run.store.connection import Connection
from evomerge_core.run.store.records import Pass
from evomerge_core.run.store.tables.open_file import OpenFile

_DEVICE = "(SELECT scored_on FROM devices WHERE pass = passes.id) AS scored_on"
_KEPT = [field.name for field in fields(Pass) if field.name != "scored_on"]
_PASS = ", ".join([*_KEPT, _DEVICE])


class Passes(OpenFile):
    """Passes of candidates, by split, precision and rung."""

    def rung(self, candidate: int, precision: str, generation: int, rung: int) -> Pass | None:
        """A candidate's (or its twin's) pass in one rung of a generation's race."""
        row = self._connection.execute(
            f"SELECT {_PASS} FROM passes WHERE split = 'search' AND precision = ? AND generation = ? AND rung = ? "
            "AND candidate = (SELECT coalesce(twin, id) FROM candidates WHERE id = ?)",
            (precision, generation, rung, candidate),
        ).fetchone()
        return None if row is None else Pass(**row)

    def passes_of(self, candidate: int, split: str, precision: str) -> list[Pass]:
        """A candidate's (or its twin's) passes on a split in a precision, in the order in which they finished."""
        rows = self._connection.execute(
            f"SELECT {_PASS} FROM passes WHERE split = ? AND precision = ? "
            "AND candidate = (SELECT coalesce(twin, id) FROM candidates WHERE id = ?) ORDER BY id",
            (split, precision, candidate),
        )
        return [Pass(**row) for row in rows]

    def passes(self, precision: str | None = None) -> list[Pass]:
        """All passes, or those in one precision, in the order in which they finished."""
        rows = self._connection.execute(
            f"SELECT {_PASS} FROM passes WHERE ? IN (precision, '') ORDER BY id", (precision or "",)
        )
        return [Pass(**row) for row in rows]

    def recent_passes(self, count: int) -> list[Pass]:
        """The last passes, oldest first."""
        rows = self._connection.execute(f"SELECT {_PASS} FROM passes ORDER BY id DESC LIMIT ?", (count,))
        return [Pass(**row) for row in rows][::-1]

    def count_tried(self) -> int:
        """How many genomes of the search have been asked anything."""
        query = (
            "SELECT count(DISTINCT p.candidate) FROM passes p JOIN candidates c ON c.id = p.candidate "
            "WHERE p.split = 'search' AND c.kind = 'search'"
        )
        return int(self._connection.execute(query).fetchone()[0])


def put_pass(connection: Connection, at: float, candidate: int, passed: Pass) -> None:
    """Adds a pass that finished at a unix time in seconds, in the transaction that has begun."""
    known = asdict(passed)
    values = {**{name: known[name] for name in _KEPT}, "candidate": candidate, "finished": at}
    names = ", ".join(values)
    cursor = connection.execute(f"INSERT INTO passes ({names}) VALUES ({', '.join('?' * len(values))})", tuple(values.values()))
    if passed.scored_on is not None:
        connection.execute("INSERT INTO devices VALUES (?, ?)", (cursor.lastrowid, passed.scored_on))
