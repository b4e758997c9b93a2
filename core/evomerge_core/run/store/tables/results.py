"""What a candidate was given for its answers, written into all tables that it concerns at once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from evomerge_core.run.store.records import NEUTRAL, Evaluation, ItemScore, Pass
from evomerge_core.run.store.tables.events import put_event
from evomerge_core.run.store.tables.facts import put_facts
from evomerge_core.run.store.tables.items import put_items
from evomerge_core.run.store.tables.open_file import OpenFile
from evomerge_core.run.store.tables.passes import put_pass


class Results(OpenFile):
    """Writes evaluations and rungs, each in one transaction: whole or not at all."""

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
        """An evaluation, its item scores, its event and the facts it changes.

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
            put_items(c, candidate, split, precision, items)
            put_items(c, candidate, NEUTRAL, precision, neutral)
            if passed is not None:
                put_pass(c, at, candidate, passed)
            if mark is not None:
                c.execute("INSERT INTO marks VALUES (?, ?, ?, ?)", (candidate, split, precision, mark))
            put_event(c, at, "evaluation", data)
            put_facts(c, facts or {})

    def save_rung(
        self,
        candidate: int,
        passed: Pass,
        items: Sequence[ItemScore],
        neutral: Sequence[ItemScore] = (),
        *,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """One rung of a race or a final: the items that it added, its event and the facts it changes."""
        at = time.time()
        data = {"candidate": candidate, "split": passed.split, "precision": passed.precision, "generation": passed.generation,
                "rung": passed.rung, "failure": passed.failure, "seconds": round(passed.seconds, 3)}  # fmt: skip
        with self._transaction() as c:
            put_pass(c, at, candidate, passed)
            put_items(c, candidate, passed.split, passed.precision, items)
            put_items(c, candidate, NEUTRAL, passed.precision, neutral)
            put_event(c, at, "rung", data)
            put_facts(c, facts or {})
