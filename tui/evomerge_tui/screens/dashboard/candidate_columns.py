"""The columns of the list of candidates."""

from __future__ import annotations

from evomerge_core.run.store.store import Outcome
from evomerge_tui.screens.dashboard.history import History
from evomerge_tui.text.quantities import gain, percent
from evomerge_tui.widgets.rows_table import Cell, Column

_KINDS = {"search": "child", "parent": "parent", "uniform": "uniform"}


def candidate_columns(history: History) -> list[Column[Outcome]]:
    """Columns for outcomes; gains are against the best parent that `history` knows."""

    def lead(one: Outcome) -> float | None:
        parent = history.best_of("parent")
        return None if parent is None or one.score is None else one.score - (parent.score or 0.0)

    def gain_cell(one: Outcome) -> Cell:
        value = lead(one)
        return gain(value), "good" if value is not None and value > 0 else "muted"

    def note(one: Outcome) -> Cell:
        chosen = "winner" if one.candidate == history.winner else ""
        return (one.failure or one.mark or chosen), "bad" if one.failure else "best"

    return [
        Column("number", "#", 5, lambda one: (str(one.number), "muted"), lambda one: one.number, right=True),
        Column("label", "Candidate", 0, lambda one: (one.label, ""), lambda one: one.label),
        Column("kind", "Kind", 8, lambda one: (_KINDS.get(one.kind, one.kind), "muted"), lambda one: one.kind),
        Column("score", "Score", 8, _score, lambda one: one.score, right=True),
        Column("gain", "Gain", 6, gain_cell, lead, right=True),
        Column("loss", "Log-loss", 9, _loss, lambda one: one.loss, right=True),
        Column("note", "Note", 0, note, lambda one: note(one)[0], least_table=90),
        Column("seconds", "Time", 7, lambda one: (f"{one.seconds:.1f} s", "muted"), lambda one: one.seconds, right=True),
    ]


def candidate_text(one: Outcome) -> str:
    """What a filter looks at."""
    return f"{one.label} {_KINDS.get(one.kind, one.kind)} {percent(one.score)} {one.failure or ''} {one.mark or ''}"


def _score(one: Outcome) -> Cell:
    return ("failed", "bad") if one.score is None else (percent(one.score), "")


def _loss(one: Outcome) -> Cell:
    return ("" if one.loss is None else f"{one.loss:.3f}"), "muted"
