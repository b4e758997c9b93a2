"""The run's store: one SQLite file that the job writes while screens and commands read it."""

from __future__ import annotations

import json
import sqlite3
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.files.durable import flush_file, rename
from evomerge_core.run.store.connection import Connection, DamagedStore, connect, connect_to_read, says_why
from evomerge_core.run.store.records import NEUTRAL, Candidate, Evaluation, ItemScore, Outcome, Pass

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
    stage INTEGER,
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
CREATE TABLE IF NOT EXISTS passes (
    id INTEGER PRIMARY KEY,
    candidate INTEGER NOT NULL REFERENCES candidates (id),
    split TEXT NOT NULL,
    precision TEXT NOT NULL,
    generation INTEGER,
    rung INTEGER,
    items INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    load_seconds REAL NOT NULL,
    seconds REAL NOT NULL,
    failure TEXT,
    loss REAL,
    finished REAL NOT NULL,
    UNIQUE (candidate, split, precision, generation, rung)
);
CREATE TABLE IF NOT EXISTS marks (
    candidate INTEGER NOT NULL,
    split TEXT NOT NULL,
    precision TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (candidate, split, precision)
);
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS commands (id INTEGER PRIMARY KEY, at REAL NOT NULL, name TEXT NOT NULL, acknowledged REAL);
"""

# Rows that a look through the store reads together.
_AT_ONCE = 1000
_PASS = ", ".join(field.name for field in fields(Pass))
# How many items an evaluation's score is the mean of: those of the passes of the candidate's own generation (a twin of a later
# generation may be asked more); an earlier version kept no passes.
_ITEMS = (
    "coalesce((SELECT sum(p.items) FROM passes p WHERE p.candidate = e.candidate AND p.split = e.split "
    "AND p.precision = e.precision AND p.generation IS c.generation), "
    "(SELECT count(*) FROM item_scores i WHERE i.candidate = e.candidate AND i.split = e.split "
    "AND i.precision = e.precision))"
)


class Store:
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
        self._path, self._copy, self._copied = path, copy, 0.0
        self._connection = connect_to_read(path) if read_only else connect(path)
        if create:
            self._connection.execute("PRAGMA journal_mode = WAL")
        if read_only:
            self._supply_tables()
        else:
            # also the tables that an earlier version did not make
            self._connection.executescript(_SCHEMA)
            self._connection.execute("PRAGMA synchronous = FULL")
        self._has_stages = self._keeps_stages() if read_only else self._add_stages()

    def close(self) -> None:
        self._connection.close()

    def keep_copy(self, *, unless_within: float = 0.0) -> None:
        """Copies the store to the place of copies, if it has one: whole or not at all, and not again within some seconds.

        The copy before is kept where there is no room for another, or where the store has been damaged since.
        """
        if self._copy is None or (self._copied and time.monotonic() - self._copied < unless_within):
            return
        part = self._copy.with_name(f"{self._copy.name}.part")
        try:
            part.unlink(missing_ok=True)
            copy = sqlite3.connect(part)
            try:
                self._connection.backup(copy)
                # a file that needs no other beside it
                copy.execute("PRAGMA journal_mode = DELETE")
                is_sound = copy.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
            finally:
                copy.close()
            if is_sound:
                flush_file(part)
                rename(part, self._copy)
        except (OSError, sqlite3.Error):
            # the run itself goes on: what it writes next says what is wrong with the disk
            with suppress(OSError):
                part.unlink(missing_ok=True)
        self._copied = time.monotonic()

    def require_sound(self) -> None:
        """Raises DamagedStore when a look through the whole file finds damage: in SQLite's pages, or in what can't be read."""
        found = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise DamagedStore(self._path, " ".join(str(found).split()))
        self.facts()
        for (table,) in self._connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            rows = self._connection.execute(f'SELECT * FROM "{table}"')
            with says_why(self._path):
                while rows.fetchmany(_AT_ONCE):
                    pass

    # facts: single values such as the state of the run

    def fact(self, key: str, default: Any = None) -> Any:
        row = self._connection.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return default if row is None else self._json(row["value"])

    def facts(self) -> dict[str, Any]:
        """All facts by key; `store/facts.py` knows the keys and their types."""
        rows = self._connection.execute("SELECT key, value FROM facts").fetchall()
        return {row["key"]: self._json(row["value"]) for row in rows}

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

    def save_evaluation(
        self,
        candidate: int,
        split: str,
        precision: str,
        evaluation: Evaluation,
        items: Sequence[ItemScore],
        *,
        passed: Pass | None = None,
        neutral: Sequence[ItemScore] = (),
        mark: str | None = None,
        facts: Mapping[str, Any] | None = None,
        replace: bool = False,
    ) -> None:
        """An evaluation, its item scores, its event and the facts it changes, in one transaction: whole or not at all.

        `mark` is why the coherence guard ranks the candidate behind others; `neutral` are losses on neutral texts. `replace`:
        an evaluation on fewer items may be there.
        """
        at = time.time()
        values = (evaluation.score, evaluation.loss, evaluation.failure, evaluation.seconds, evaluation.tokens)
        data = {"candidate": candidate, "split": split, "precision": precision, "score": evaluation.score,
                "failure": evaluation.failure, "seconds": round(evaluation.seconds, 3)}  # fmt: skip
        with self._transaction() as c:
            # replaced, it gets a number of its own: readers of what is new see it
            verb = "INSERT OR REPLACE" if replace else "INSERT"
            c.execute(f"{verb} INTO evaluations VALUES (?, ?, ?{', ?' * 6})", (candidate, split, precision, *values, at))
            if replace:
                place = (candidate, split, precision)
                c.execute("DELETE FROM marks WHERE candidate = ? AND split = ? AND precision = ?", place)
            _add_items(c, candidate, split, precision, items)
            _add_items(c, candidate, NEUTRAL, precision, neutral)
            if passed is not None:
                _add_pass(c, at, candidate, passed)
            if mark is not None:
                c.execute("INSERT INTO marks VALUES (?, ?, ?, ?)", (candidate, split, precision, mark))
            _add_event(c, at, "evaluation", data)
            _set_facts(c, facts or {})

    def save_rung(
        self,
        candidate: int,
        passed: Pass,
        items: Sequence[ItemScore],
        neutral: Sequence[ItemScore] = (),
        *,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """One rung of a race or a final, in one transaction: the items that it added, its event and the facts it changes."""
        at = time.time()
        data = {"candidate": candidate, "split": passed.split, "precision": passed.precision, "generation": passed.generation,
                "rung": passed.rung, "failure": passed.failure, "seconds": round(passed.seconds, 3)}  # fmt: skip
        with self._transaction() as c:
            _add_pass(c, at, candidate, passed)
            _add_items(c, candidate, passed.split, passed.precision, items)
            _add_items(c, candidate, NEUTRAL, passed.precision, neutral)
            _add_event(c, at, "rung", data)
            _set_facts(c, facts or {})

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

    def labels(self, candidates: Sequence[int]) -> dict[int, str]:
        """The labels of some candidates, by id."""
        places = ", ".join("?" * len(candidates))
        rows = self._connection.execute(f"SELECT id, label FROM candidates WHERE id IN ({places})", tuple(candidates))
        return {row["id"]: row["label"] for row in rows}

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

    def scored(self, split: str, precision: str) -> list[tuple[Candidate, Evaluation]]:
        """Every candidate with an evaluation of its own on this split, in the order in which they finished."""
        rows = self._connection.execute(
            "SELECT c.*, e.score, e.loss, e.failure, e.seconds, e.tokens FROM evaluations e "
            "JOIN candidates c ON c.id = e.candidate WHERE e.split = ? AND e.precision = ? ORDER BY e.rowid",
            (split, precision),
        )
        names = ("score", "loss", "failure", "seconds", "tokens")
        return [(self._candidate(row), Evaluation(**{name: row[name] for name in names})) for row in rows]

    def all_evaluations(self) -> list[tuple[Candidate, str, str, Evaluation]]:
        """Every evaluation with its candidate, split and precision, in the order in which they finished."""
        rows = self._connection.execute(
            "SELECT c.*, e.split, e.precision, e.score, e.loss, e.failure, e.seconds, e.tokens FROM evaluations e "
            "JOIN candidates c ON c.id = e.candidate ORDER BY e.rowid"
        )
        names = ("score", "loss", "failure", "seconds", "tokens")
        return [
            (self._candidate(row), row["split"], row["precision"], Evaluation(**{name: row[name] for name in names}))
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

    # events and commands

    def add_event(self, kind: str, **data: Any) -> None:
        with self._transaction() as c:
            _add_event(c, time.time(), kind, data)

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
        with self._transaction() as c:
            rows = c.execute("SELECT id, name FROM commands WHERE acknowledged IS NULL ORDER BY id").fetchall()
            for row in rows:
                c.execute("UPDATE commands SET acknowledged = ? WHERE id = ?", (time.time(), row["id"]))
                _add_event(c, time.time(), "command", {"name": row["name"]})
        return [row["name"] for row in rows]

    def drop_commands(self) -> None:
        """Forgets the commands not yet acknowledged; each is told in an event."""
        with self._transaction() as c:
            for row in c.execute("SELECT id, name FROM commands WHERE acknowledged IS NULL ORDER BY id").fetchall():
                c.execute("UPDATE commands SET acknowledged = ? WHERE id = ?", (time.time(), row["id"]))
                _add_event(c, time.time(), "dropped", {"name": row["name"]})

    # the stages of candidates, which an earlier version did not keep

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
        except InputError:
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

    def _candidate(self, row: sqlite3.Row) -> Candidate:
        genome = None if row["genome"] is None else tuple(self._json(row["genome"]))
        return Candidate(
            row["id"], row["kind"], row["label"], row["generation"], row["position"], genome, row["twin"], self._stage(row)
        )

    def _supply_tables(self) -> None:
        """Gives a reader the tables that an earlier version did not make, empty and in memory."""
        known = {row["name"] for row in self._connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if not known:
            raise DamagedStore(self._path, "it holds no tables")
        self._connection.execute("PRAGMA temp_store = MEMORY")
        for made in _SCHEMA.split(";"):
            name = made.removeprefix("\nCREATE TABLE IF NOT EXISTS ").split(" ")[0]
            if made.strip() and name not in known:
                self._connection.execute(made.replace("CREATE TABLE", "CREATE TEMP TABLE"))

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


def _set_facts(connection: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
    rows = [(key, json.dumps(value)) for key, value in facts.items()]
    connection.executemany("INSERT INTO facts VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", rows)


def _add_items(connection: sqlite3.Connection, candidate: int, split: str, precision: str, items: Sequence[ItemScore]) -> None:
    rows = [
        (candidate, split, precision, i.task, i.item, i.value, i.loss, i.truncated, i.language_ok, i.tokens, i.answer)
        for i in items
    ]
    connection.executemany(f"INSERT INTO item_scores VALUES (?{', ?' * 10})", rows)


def _add_pass(connection: sqlite3.Connection, at: float, candidate: int, passed: Pass) -> None:
    values = {**asdict(passed), "candidate": candidate, "finished": at}
    names = ", ".join(values)
    connection.execute(f"INSERT INTO passes ({names}) VALUES ({', '.join('?' * len(values))})", tuple(values.values()))


def _add_event(connection: sqlite3.Connection, at: float, kind: str, data: Mapping[str, Any]) -> None:
    connection.execute("INSERT INTO events (at, kind, data) VALUES (?, ?, ?)", (at, kind, json.dumps(data)))
