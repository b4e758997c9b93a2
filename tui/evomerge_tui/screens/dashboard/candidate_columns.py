"""The columns of the list of candidates."""

from __future__ import annotations

from evomerge_core.run.store.records import Outcome
from evomerge_tui.screens.dashboard.history import History
from evomerge_tui.text.candidate_names import kind_word
from evomerge_tui.text.quantities import gain, percent, score_text
from evomerge_tui.widgets.rows_table import Cell, Column


def candidate_columns(history: History) -> list[Column[Outcome]]:
    """Columns for outcomes; gains are against the best parent that `history` knows."""

    def lead(outcome: Outcome) -> float | None:
        parent = history.best_of("parent")
        return None if parent is None or outcome.score is None else outcome.score - (parent.score or 0.0)

    def gain_cell(outcome: Outcome) -> Cell:
        value = lead(outcome)
        return gain(value), "good" if value is not None and value > 0 else "muted"

    def note(outcome: Outcome) -> Cell:
        chosen = "winner" if outcome.candidate == history.winner else ""
        return (outcome.failure or outcome.mark or chosen), "bad" if outcome.failure else "best"

    return [
        Column("number", "#", 5, lambda row: (str(row.number), "muted"), lambda row: row.number, right=True),
        Column("label", "Candidate", 0, lambda row: (row.label, ""), lambda row: row.label),
        Column("kind", "Kind", 8, lambda row: (kind_word(row.kind), "muted"), lambda row: row.kind),
        Column("score", "Score", 7, _score, lambda row: row.score, right=True),
        Column("gain", "Gain", 6, gain_cell, lead, right=True),
        Column("loss", "Loss", 6, _loss, lambda row: row.loss, right=True),
        Column("note", "Note", 0, note, lambda row: note(row)[0], least_table=90),
        Column("seconds", "Time", 7, lambda row: (f"{row.seconds:.1f} s", "muted"), lambda row: row.seconds, right=True),
    ]


def candidate_text(outcome: Outcome) -> str:
    """What a filter looks at."""
    return f"{outcome.label} {kind_word(outcome.kind)} {percent(outcome.score)} {outcome.failure or ''} {outcome.mark or ''}"


def _score(outcome: Outcome) -> Cell:
    return score_text(outcome.score), "bad" if outcome.score is None else ""


def _loss(outcome: Outcome) -> Cell:
    return ("" if outcome.loss is None else f"{outcome.loss:.3f}"), "muted"
