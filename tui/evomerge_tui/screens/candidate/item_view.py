"""Items as lists and pages show them: outcome, question, and two answers side by side."""

from __future__ import annotations

from collections.abc import Callable

from textual.content import Content

from evomerge_core.run.store.records import ItemScore
from evomerge_core.run.verdict.candidate_scores import Difference
from evomerge_core.run.view.asked_texts import AskedTexts
from evomerge_tui.text.shown_text import many_lines, one_line
from evomerge_tui.widgets.rows_table import Cell, Column

_OUTCOMES = {
    "won": ("✓ won", "good"),
    "lost": ("✗ lost", "bad"),
    "even": ("= tied", "muted"),
    "not asked": ("not asked", "muted"),
}
_ORDER = ("lost", "won", "even", "not asked")


def item_columns(texts: Callable[[], AskedTexts]) -> list[Column[Difference]]:
    """Columns for differences; `texts` are the questions known so far."""

    def asked(item: Difference) -> Cell:
        text = texts().get((item.task, item.item))
        return (one_line(text.prompt, 200), "") if text else (item.item, "muted")

    return [
        Column("outcome", "Outcome", 10, lambda row: _OUTCOMES[row.outcome], lambda row: (_ORDER.index(row.outcome), row.item)),
        Column("ours", "Child", 6, lambda row: (_value(row.ours), ""), lambda row: row.ours.value, right=True),
        Column("theirs", "Other", 6, lambda row: (_value(row.theirs), "muted"), _theirs, right=True),
        Column("question", "Question", 0, asked, lambda row: asked(row)[0]),
        Column("task", "Task", 14, lambda row: (row.task, "muted"), lambda row: row.task, least_table=110),
    ]


def question(item: Difference, texts: AskedTexts) -> Content:
    """The question and its correct answers."""
    text = texts.get((item.task, item.item))
    if text is None:
        return Content.styled(f"item {one_line(item.item, 60)} of {one_line(item.task)}", "$text-muted")
    return Content.assemble(
        many_lines(text.prompt), ("\nCorrect answer: ", "$text-muted"), (one_line(" / ".join(text.expected), 400), "$success")
    )


def answers(item: Difference, ours: str, theirs: str) -> tuple[Content, Content]:
    """Both answers with whose they are and how they fared."""
    return _answer(ours, item.ours), _answer(theirs, item.theirs)


def _answer(name: str, score: ItemScore | None) -> Content:
    if score is None:
        return Content.assemble((one_line(name, 40), "bold"), ("\nnot asked", "$text-muted"))
    right = score.value > 0
    notes = "".join(
        f" · {note}" for note, true in (("cut off", score.truncated), ("another language", not score.language_ok)) if true
    )
    head = f"  {'✓' if right else '✗'} {_value(score)}"
    return Content.assemble(
        (one_line(name, 40), "bold"),
        (head, "$success" if right else "$error"),
        (notes, "$warning"),
        f"\n{many_lines(score.answer)}",
    )


def _value(score: ItemScore | None) -> str:
    return "" if score is None else f"{score.value:g}" if score.value in (0, 1) else f"{score.value:.2f}"


def _theirs(item: Difference) -> float | None:
    return None if item.theirs is None else item.theirs.value
