"""The columns of the list of candidates."""

from __future__ import annotations

from evomerge_core.run.store.records import Outcome
from evomerge_core.run.view.estimates import VOTES
from evomerge_tui.screens.dashboard.history import History
from evomerge_tui.text.candidate_names import kind_word
from evomerge_tui.text.quantities import gain, percent, percent_range, score_text
from evomerge_tui.widgets.rows_table import Cell, Column

_SHORT = {"search": "search", "validation": "valid.", "test": "test"}


def candidate_columns(history: History) -> list[Column[Outcome]]:
    """Columns for outcomes; what they say of a candidate is what `history` knows of it by now."""

    def is_winner(outcome: Outcome) -> bool:
        return outcome.candidate == history.winner

    def lead(outcome: Outcome) -> float | None:
        """The estimate less that of the best parent on the same items."""
        estimate = history.estimate(outcome)
        parent = None if estimate is None else history.best_parent(estimate.split)
        return None if parent is None or estimate is None else estimate.value - parent

    def gain_cell(outcome: Outcome) -> Cell:
        value = lead(outcome)
        return gain(value), "good" if value is not None and value > 0 else "muted"

    def label(outcome: Outcome) -> Cell:
        return (f"◆ {outcome.label}", "best") if is_winner(outcome) else (outcome.label, "")

    def estimated(outcome: Outcome) -> Cell:
        estimate = history.estimate(outcome)
        if estimate is None:
            return score_text(None), "bad"
        return percent(estimate.value), "best" if is_winner(outcome) else ""

    def interval(outcome: Outcome) -> Cell:
        estimate = history.estimate(outcome)
        if estimate is None or estimate.split == VOTES:
            return "", "muted"
        return percent_range(estimate.low, estimate.high), "muted"

    def rests_on(outcome: Outcome) -> Cell:
        estimate = history.estimate(outcome)
        if estimate is None or estimate.split == VOTES:
            return ("" if estimate is None else VOTES), "muted"
        return f"{estimate.items} {_SHORT[estimate.split]}", "muted"

    def order(outcome: Outcome) -> tuple[bool, float] | None:
        """The winner first, whatever luck others had."""
        estimate = history.estimate(outcome)
        return None if estimate is None else (is_winner(outcome), estimate.value)

    def note(outcome: Outcome) -> Cell:
        chosen = "winner" if is_winner(outcome) else ""
        return (outcome.failure or outcome.mark or chosen), "bad" if outcome.failure else "best"

    def scored(outcome: Outcome) -> Cell:
        return score_text(outcome.score), "bad" if outcome.score is None else "muted"

    return [
        Column("number", "#", 5, lambda row: (str(row.number), "muted"), lambda row: row.number, right=True, least_table=56),
        Column("label", "Candidate", 0, label, lambda row: row.label),
        Column("kind", "Kind", 8, lambda row: (kind_word(row.kind), "muted"), lambda row: row.kind, least_table=64),
        Column("score", "Estimate", 10, estimated, order, right=True),
        Column("interval", "95 %", 10, interval, lambda row: interval(row)[0], right=True, least_table=48),
        Column("items", "Rests on", 10, rests_on, lambda row: history.items(row), right=True),
        Column("gain", "Gain", 6, gain_cell, lead, right=True, least_table=72),
        Column("raw", "Search", 7, scored, lambda row: row.score, right=True, least_table=82),
        Column("loss", "Loss", 6, _loss, lambda row: row.loss, right=True, least_table=90),
        Column("note", "Note", 0, note, lambda row: note(row)[0], least_table=110),
        Column("seconds", "Time", 7, lambda row: (f"{row.seconds:.1f} s", "muted"), lambda row: row.seconds, right=True,
               least_table=100),
    ]  # fmt: skip


def candidate_text(outcome: Outcome) -> str:
    """What a filter looks at."""
    return f"{outcome.label} {kind_word(outcome.kind)} {percent(outcome.score)} {outcome.failure or ''} {outcome.mark or ''}"


def _loss(outcome: Outcome) -> Cell:
    return ("" if outcome.loss is None else f"{outcome.loss:.3f}"), "muted"
