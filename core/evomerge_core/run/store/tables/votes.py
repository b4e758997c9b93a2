"""The tables of votes, and of what the votes said of candidates when a poll ended."""

from __future__ import annotations

import time
from collections.abc import Mapping

from evomerge_core.run.store.records import Vote
from evomerge_core.run.store.tables.events import put_event
from evomerge_core.run.store.tables.facts import put_facts
from evomerge_core.run.store.tables.open_file import OpenFile

_VOTE = ("poll", "item", "first", "second", "choice", "again", "voter", "at")


class Votes(OpenFile):
    """Votes, which people add while the job waits, and ratings, which the job makes of them."""

    def add_vote(self, vote: Vote) -> bool:
        """Keeps a vote; False where the same two answers have one already, by somebody who was faster."""
        with self._transaction() as c:
            added = c.execute(
                f"INSERT INTO votes ({', '.join(_VOTE)}) SELECT ?{', ?' * (len(_VOTE) - 1)} "
                "WHERE NOT EXISTS (SELECT 1 FROM votes WHERE item = ? AND first = ? AND second = ?)",
                (*(getattr(vote, name) for name in _VOTE), vote.item, vote.first, vote.second),
            )
        return added.rowcount == 1

    def votes(self) -> list[Vote]:
        """All votes, the oldest first."""
        rows = self._connection.execute(f"SELECT {', '.join(_VOTE)} FROM votes ORDER BY id")
        return [Vote(**dict(row)) for row in rows]

    def count_votes(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM votes").fetchone()[0])

    def ratings(self, poll: str) -> dict[int, float]:
        """What candidates were worth by all votes, 0..1 by id, when a poll ended; {} before that."""
        rows = self._connection.execute("SELECT candidate, value FROM ratings WHERE poll = ? ORDER BY candidate", (poll,))
        return {row["candidate"]: row["value"] for row in rows}

    def close_poll(
        self, poll: str, ratings: Mapping[int, float], *, task: str, precision: str, scores: Mapping[int, float], votes: int
    ) -> None:
        """Keeps what candidates are worth by id, also as their values in the task of taste, and the `scores` on the search's
        items that this makes; all of it or nothing. `votes` are those that the poll was decided by.

        The evaluations get new numbers in their old order, so that readers of what is new see them.
        """
        with self._transaction() as c:
            c.executemany("INSERT INTO ratings VALUES (?, ?, ?)", [(poll, one, value) for one, value in ratings.items()])
            c.executemany(
                "UPDATE item_scores SET value = ? WHERE candidate = ? AND split = 'search' AND precision = ? AND task = ?",
                [(value, one, precision, task) for one, value in ratings.items()],
            )
            rows = c.execute(
                "SELECT candidate FROM evaluations WHERE split = 'search' AND precision = ? ORDER BY rowid", (precision,)
            ).fetchall()
            for one in (row["candidate"] for row in rows if row["candidate"] in scores):
                c.execute(
                    "INSERT OR REPLACE INTO evaluations SELECT candidate, split, precision, ?, loss, failure, seconds, tokens, "
                    "finished FROM evaluations WHERE candidate = ? AND split = 'search' AND precision = ?",
                    (scores[one], one, precision),
                )
            put_facts(c, {"poll": None})
            put_event(c, time.time(), "poll", {"name": poll, "votes": votes})
