"""The tables of evaluations and of the coherence guard's marks."""

from __future__ import annotations

from evomerge_core.run.store.records import Candidate, Evaluation, Outcome
from evomerge_core.run.store.tables.candidates import Candidates

_RESULT = ("score", "loss", "failure", "seconds", "tokens")
# How many items an evaluation's score is the mean of: those of the passes of the candidate's own generation (a twin of a later
# generation may be asked more); an earlier version kept no passes.
_ITEMS = (
    "coalesce((SELECT sum(p.items) FROM passes p WHERE p.candidate = e.candidate AND p.split = e.split "
    "AND p.precision = e.precision AND p.generation IS c.generation), "
    "(SELECT count(*) FROM item_scores i WHERE i.candidate = e.candidate AND i.split = e.split "
    "AND i.precision = e.precision))"
)


class Evaluations(Candidates):
    """Evaluations of candidates by split and precision."""

    def mark(self, candidate: int, split: str, precision: str) -> str | None:
        """Why the coherence guard marked a candidate (or its twin) on a split; None when it is sound."""
        row = self._connection.execute(
            "SELECT reason FROM marks WHERE split = ? AND precision = ? "
            "AND candidate = (SELECT coalesce(twin, id) FROM candidates WHERE id = ?)",
            (split, precision, candidate),
        ).fetchone()
        return None if row is None else str(row["reason"])

    def evaluation(self, candidate: int, split: str, precision: str) -> Evaluation | None:
        """A candidate's evaluation, or its twin's."""
        row = self._connection.execute(
            "SELECT score, loss, failure, seconds, tokens FROM evaluations WHERE split = ? AND precision = ? "
            "AND candidate = (SELECT coalesce(twin, id) FROM candidates WHERE id = ?)",
            (split, precision, candidate),
        ).fetchone()
        return None if row is None else Evaluation(**row)

    def scored_in(self, candidate: int) -> list[tuple[str, str]]:
        """The splits and precisions in which a candidate (or its twin) was evaluated, in the order of time."""
        rows = self._connection.execute(
            "SELECT split, precision FROM evaluations "
            "WHERE candidate = (SELECT coalesce(twin, id) FROM candidates WHERE id = ?) ORDER BY rowid",
            (candidate,),
        )
        return [(row["split"], row["precision"]) for row in rows]

    def scored(self, split: str, precision: str) -> list[tuple[Candidate, Evaluation]]:
        """Every candidate with an evaluation of its own on this split, in the order in which they finished."""
        rows = self._connection.execute(
            "SELECT c.*, e.score, e.loss, e.failure, e.seconds, e.tokens FROM evaluations e "
            "JOIN candidates c ON c.id = e.candidate WHERE e.split = ? AND e.precision = ? ORDER BY e.rowid",
            (split, precision),
        )
        return [(self._candidate(row), Evaluation(**{name: row[name] for name in _RESULT})) for row in rows]

    def all_evaluations(self) -> list[tuple[Candidate, str, str, Evaluation]]:
        """Every evaluation with its candidate, split and precision, in the order in which they finished."""
        rows = self._connection.execute(
            "SELECT c.*, e.split, e.precision, e.score, e.loss, e.failure, e.seconds, e.tokens FROM evaluations e "
            "JOIN candidates c ON c.id = e.candidate ORDER BY e.rowid"
        )
        return [
            (self._candidate(row), row["split"], row["precision"], Evaluation(**{name: row[name] for name in _RESULT}))
            for row in rows
        ]

    def outcomes(self, after: int = 0, *, split: str = "", precision: str = "") -> list[Outcome]:
        """Evaluations after number `after`, oldest first, without genomes and items: cheap to read as they come.

        All of them, or those on one split, in one precision.
        """
        rows = self._connection.execute(
            "SELECT e.rowid AS number, c.id AS candidate, c.kind, c.label, c.generation, e.split, e.precision, e.score, "
            f"e.loss, e.failure, e.seconds, e.finished, m.reason AS mark, {_ITEMS} AS items, {self._stage_column} AS stage "
            "FROM evaluations e JOIN candidates c ON c.id = e.candidate "
            "LEFT JOIN marks m ON m.candidate = e.candidate AND m.split = e.split AND m.precision = e.precision "
            "WHERE e.rowid > ? AND ? IN (e.split, '') AND ? IN (e.precision, '') ORDER BY e.rowid",
            (after, split, precision),
        )
        # by position: a long search has thousands
        return [Outcome(*(*row[:-1], self._stage(row))) for row in rows]

    def count_searched(self) -> int:
        """How many genomes of the search have been evaluated on the search's items."""
        query = (
            "SELECT count(*) FROM evaluations e JOIN candidates c ON c.id = e.candidate "
            "WHERE e.split = 'search' AND c.kind = 'search'"
        )
        return int(self._connection.execute(query).fetchone()[0])

    def count_evaluations(self, split: str, first_generation: int = 0) -> int:
        """Evaluations on a split, those of candidates from earlier generations left out."""
        query = (
            "SELECT count(*) FROM evaluations e JOIN candidates c ON c.id = e.candidate "
            "WHERE e.split = ? AND coalesce(c.generation, ?) >= ?"
        )
        return int(self._connection.execute(query, (split, first_generation, first_generation)).fetchone()[0])

    def generated_tokens(self) -> int:
        return int(self._connection.execute("SELECT coalesce(sum(tokens), 0) FROM evaluations").fetchone()[0])
