"""The run's store: one SQLite file that the job writes, and that screens and commands read beside it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS candidates (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    generation INTEGER,
    position INTEGER,
    genome TEXT,
    twin INTEGER REFERENCES candidates (id),
    UNIQUE (kind, label),
    UNIQUE (generation, position)
);
CREATE TABLE IF NOT EXISTS evaluations (
    candidate INTEGER NOT NULL REFERENCES candidates (id),
    split TEXT NOT NULL,
    precision TEXT NOT NULL,
    score REAL,
    loss REAL,
    failure TEXT,
    seconds REAL NOT NULL,
    tokens INTEGER NOT NULL,
    finished REAL NOT NULL,
    PRIMARY KEY (candidate, split, precision)
);
CREATE TABLE IF NOT EXISTS item_scores (
    candidate INTEGER NOT NULL,
    split TEXT NOT NULL,
    precision TEXT NOT NULL,
    task TEXT NOT NULL,
    item TEXT NOT NULL,
    value REAL NOT NULL,
    loss REAL,
    truncated INTEGER NOT NULL,
    language_ok INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    answer TEXT NOT NULL,
    PRIMARY KEY (candidate, split, precision, task, item)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS commands (id INTEGER PRIMARY KEY, at REAL NOT NULL, name TEXT NOT NULL, acknowledged REAL);
"""


@dataclass(frozen=True)
class ItemScore:
    """One item's score: `value` in 0..1, `loss` the gold answer's mean negative log-likelihood per token or None."""

    task: str
    item: str
    value: float
    loss: float | None
    truncated: bool
    language_ok: bool
    tokens: int
    answer: str


@dataclass(frozen=True)
class Evaluation:
    """A candidate's result on one split in one precision; `failure` is the reason where there is no score."""

    score: float | None
    loss: float | None
    failure: str | None
    seconds: float
    tokens: int


@dataclass(frozen=True)
class Candidate:
    """What is scored: a parent, a uniform merge, or a genome of the search. `twin` had the same genome before it."""

    id: int
    kind: str
    label: str
    generation: int | None
    position: int | None
    genome: tuple[float, ...] | None
    twin: int | None


class Store:
    """Reads and writes a run's store; every write is one transaction. Any number of processes may read."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if not create and not path.exists():
            raise FileNotFoundError(path)
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        if create:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.executescript(_SCHEMA)
        self._connection.execute("PRAGMA synchronous = FULL")

    def close(self) -> None:
        self._connection.close()

    # facts: single values such as the state of the run

    def fact(self, key: str, default: Any = None) -> Any:
        row = self._connection.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return default if row is None else json.loads(row["value"])

    def set_facts(self, **facts: Any) -> None:
        with self._transaction() as c:
            _set_facts(c, facts)

    # candidates and their evaluations

    def add_candidate(
        self,
        kind: str,
        label: str,
        *,
        generation: int | None = None,
        position: int | None = None,
        genome: Sequence[float] | None = None,
        twin: int | None = None,
    ) -> Candidate:
        """The candidate with this kind and label, made if it isn't there yet."""
        with self._transaction() as c:
            c.execute(
                "INSERT INTO candidates (kind, label, generation, position, genome, twin) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (kind, label) DO NOTHING",
                (kind, label, generation, position, None if genome is None else json.dumps(list(genome)), twin),
            )
            row = c.execute("SELECT * FROM candidates WHERE kind = ? AND label = ?", (kind, label)).fetchone()
        return _candidate(row)

    def candidates(self, kind: str | None = None) -> list[Candidate]:
        """All candidates, or those of one kind, in the order in which they were made."""
        rows = self._connection.execute("SELECT * FROM candidates WHERE ? IN (kind, '') ORDER BY id", (kind or "",))
        return [_candidate(row) for row in rows]

    def candidate(self, candidate: int) -> Candidate:
        return _candidate(self._connection.execute("SELECT * FROM candidates WHERE id = ?", (candidate,)).fetchone())

    def find_genome(self, genome: Sequence[float]) -> Candidate | None:
        """The first candidate with exactly this genome."""
        row = self._connection.execute(
            "SELECT * FROM candidates WHERE genome = ? AND twin IS NULL ORDER BY id LIMIT 1", (json.dumps(list(genome)),)
        ).fetchone()
        return None if row is None else _candidate(row)

    def save_evaluation(
        self, candidate: int, split: str, precision: str, evaluation: Evaluation, items: Sequence[ItemScore], **facts: Any
    ) -> None:
        """An evaluation, its item scores, its event and the facts it changes, in one transaction: whole or not at all."""
        at = time.time()
        values = (evaluation.score, evaluation.loss, evaluation.failure, evaluation.seconds, evaluation.tokens)
        rows = [
            (candidate, split, precision, i.task, i.item, i.value, i.loss, i.truncated, i.language_ok, i.tokens, i.answer)
            for i in items
        ]
        data = {"candidate": candidate, "split": split, "precision": precision, "score": evaluation.score,
                "failure": evaluation.failure, "seconds": round(evaluation.seconds, 3)}  # fmt: skip
        with self._transaction() as c:
            c.execute(f"INSERT INTO evaluations VALUES (?, ?, ?{', ?' * 6})", (candidate, split, precision, *values, at))
            c.executemany(f"INSERT INTO item_scores VALUES (?{', ?' * 10})", rows)
            _add_event(c, at, "evaluation", data)
            _set_facts(c, facts)

    def evaluation(self, candidate: int, split: str, precision: str) -> Evaluation | None:
        """A candidate's evaluation, or its twin's."""
        row = self._connection.execute(
            "SELECT score, loss, failure, seconds, tokens FROM evaluations WHERE split = ? AND precision = ? "
            "AND candidate = (SELECT coalesce(twin, id) FROM candidates WHERE id = ?)",
            (split, precision, candidate),
        ).fetchone()
        return None if row is None else Evaluation(**row)

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

    def scored(self, split: str, precision: str) -> list[tuple[Candidate, Evaluation]]:
        """Every candidate with an evaluation of its own on this split, in the order in which they finished."""
        rows = self._connection.execute(
            "SELECT c.*, e.score, e.loss, e.failure, e.seconds, e.tokens FROM evaluations e "
            "JOIN candidates c ON c.id = e.candidate WHERE e.split = ? AND e.precision = ? ORDER BY e.rowid",
            (split, precision),
        )
        names = ("score", "loss", "failure", "seconds", "tokens")
        return [(_candidate(row), Evaluation(**{name: row[name] for name in names})) for row in rows]

    def count_evaluations(self, split: str) -> int:
        return int(self._connection.execute("SELECT count(*) FROM evaluations WHERE split = ?", (split,)).fetchone()[0])

    def generated_tokens(self) -> int:
        return int(self._connection.execute("SELECT coalesce(sum(tokens), 0) FROM evaluations").fetchone()[0])

    # events and commands

    def add_event(self, kind: str, **data: Any) -> None:
        with self._transaction() as c:
            _add_event(c, time.time(), kind, data)

    def events(self, after: int = 0) -> list[tuple[int, float, str, dict[str, Any]]]:
        """Events after number `after`: (number, unix time in seconds, kind, data)."""
        rows = self._connection.execute("SELECT * FROM events WHERE id > ? ORDER BY id", (after,))
        return [(row["id"], row["at"], row["kind"], json.loads(row["data"])) for row in rows]

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

    def take_commands(self) -> list[str]:
        """The commands not yet acknowledged, oldest first; each is acknowledged with an event."""
        with self._transaction() as c:
            rows = c.execute("SELECT id, name FROM commands WHERE acknowledged IS NULL ORDER BY id").fetchall()
            for row in rows:
                c.execute("UPDATE commands SET acknowledged = ? WHERE id = ?", (time.time(), row["id"]))
                _add_event(c, time.time(), "command", {"name": row["name"]})
        return [row["name"] for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _set_facts(connection: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
    rows = [(key, json.dumps(value)) for key, value in facts.items()]
    connection.executemany("INSERT INTO facts VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", rows)


def _add_event(connection: sqlite3.Connection, at: float, kind: str, data: Mapping[str, Any]) -> None:
    connection.execute("INSERT INTO events (at, kind, data) VALUES (?, ?, ?)", (at, kind, json.dumps(data)))


def _candidate(row: sqlite3.Row) -> Candidate:
    genome = None if row["genome"] is None else tuple(json.loads(row["genome"]))
    return Candidate(row["id"], row["kind"], row["label"], row["generation"], row["position"], genome, row["twin"])
