"""The table of candidates, and their stages, which an earlier version did not keep."""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_right
from collections.abc import Sequence

from evomerge_core.run.store.connection import DamagedStore, ReadOnlyStore
from evomerge_core.run.store.records import Candidate
from evomerge_core.run.store.tables.facts import Facts


class Candidates(Facts):
    """Candidates by id, kind and label."""

    _has_stages = True

    def add_candidate(
        self,
        kind: str,
        label: str,
        *,
        generation: int | None = None,
        position: int | None = None,
        genome: Sequence[float] | None = None,
        twin: int | None = None,
        stage: int | None = None,
    ) -> Candidate:
        """The candidate with this kind and label, made if it isn't there yet."""
        with self._transaction() as c:
            c.execute(
                "INSERT INTO candidates (kind, label, generation, position, genome, twin, stage) VALUES (?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (kind, label) DO NOTHING",
                (kind, label, generation, position, None if genome is None else json.dumps(list(genome)), twin, stage),
            )
            row = c.execute("SELECT * FROM candidates WHERE kind = ? AND label = ?", (kind, label)).fetchone()
        return self._candidate(row)

    def candidates(self, kind: str | None = None) -> list[Candidate]:
        """All candidates, or those of one kind, in the order in which they were made."""
        rows = self._connection.execute("SELECT * FROM candidates WHERE ? IN (kind, '') ORDER BY id", (kind or "",))
        return [self._candidate(row) for row in rows]

    def candidate(self, candidate: int) -> Candidate:
        row = self._connection.execute("SELECT * FROM candidates WHERE id = ?", (candidate,)).fetchone()
        if row is None:
            raise DamagedStore(self._path, f"candidate {candidate} is missing")
        return self._candidate(row)

    def labels(self, candidates: Sequence[int]) -> dict[int, str]:
        """The labels of some candidates, by id."""
        places = ", ".join("?" * len(candidates))
        rows = self._connection.execute(f"SELECT id, label FROM candidates WHERE id IN ({places})", tuple(candidates))
        return {row["id"]: row["label"] for row in rows}

    def _candidate(self, row: sqlite3.Row) -> Candidate:
        genome = None if row["genome"] is None else tuple(self._json(row["genome"]))
        return Candidate(
            row["id"], row["kind"], row["label"], row["generation"], row["position"], genome, row["twin"], self._stage(row)
        )

    def _add_stages(self) -> bool:
        """Gives an older store's candidates their stage; False where the file can't be written: `_stage` finds them then."""
        if self._keeps_stages():
            return True
        try:
            with self._transaction() as c:
                # another process may have been faster
                if not self._keeps_stages():
                    c.execute("ALTER TABLE candidates ADD COLUMN stage INTEGER")
                    rows = c.execute("SELECT DISTINCT generation FROM candidates WHERE generation IS NOT NULL").fetchall()
                    stages = [(self._stage_of_generation(row["generation"]), row["generation"]) for row in rows]
                    c.executemany("UPDATE candidates SET stage = ? WHERE generation = ?", stages)
        except ReadOnlyStore:
            return False
        return True

    def _keeps_stages(self) -> bool:
        return any(row["name"] == "stage" for row in self._connection.execute("PRAGMA table_info(candidates)"))

    @property
    def _stage_column(self) -> str:
        return "c.stage" if self._has_stages else "NULL"

    def _stage(self, row: sqlite3.Row) -> int | None:
        """The stage of a row; None for references."""
        kept: int | None = row["stage"] if self._has_stages else None
        if kept is not None or row["generation"] is None:
            return kept
        return self._stage_of_generation(row["generation"])

    def _stage_of_generation(self, generation: int) -> int:
        """By the generations that the stages began with: generations are numbered through all stages."""
        return bisect_right(self.fact("stage_starts", [0]), generation) - 1
