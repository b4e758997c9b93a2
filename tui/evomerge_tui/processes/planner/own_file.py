"""A task for a person's own file of items: which columns hold what, and how answers are best scored."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.columns import Column, as_value, cell_of, has_column
from evomerge_core.tasks.items.item_files import load_items
from evomerge_core.tasks.items.items import Item
from evomerge_core.tasks.items.rows import FileRow, first_names, read_rows
from evomerge_core.tasks.scorers.registry import get_scorer
from evomerge_core.tasks.scorers.scorer import Expected

_QUESTIONS = ("question", "prompt", "instruction", "input", "problem", "query", "text", "ctx", "question_stem")
_ANSWERS = (
    "answer", "answer_number", "output", "response", "target", "label", "completion", "gold", "answerkey", "answers.text",
    "answer.text", "answer.value", "mc1_targets.labels",
)  # fmt: skip
_CHOICES = ("choices", "choices.text", "options", "endings", "mc1_targets.choices")
_TABLES = (".tsv", ".csv")
_SHORT = 40


def suggest_task(path: Path) -> dict[str, Any]:
    """A suggested task entry for the file, to be corrected by the user. Raises InputError when the file can't be read."""
    names = first_names(path)
    if not names:
        raise InputError("holds no items", where=path, remedy="a task needs at least one")
    fields = _fields(path, names)
    items = load_items(path, fields)
    prompt = "{context}\n\n{question}" if "context" in fields else "{question}"
    task: dict[str, Any] = {"name": path.stem, "file": str(path.absolute()), "fields": fields, "prompt": prompt}
    if "answer" not in fields:
        raise InputError(f"no column for the answer among {', '.join(names)}", where=path, remedy="name one of them 'answer'")
    if "choices" in fields:
        return {**task, "scorer": "multiple_choice", "choices": "choices"}
    return {**task, "scorer": _scorer(items), "max_new_tokens": 256}


def _fields(path: Path, names: tuple[str, ...]) -> dict[str, Column]:
    """Fields by column name where the names are known ones; else the first two columns."""
    table = path.suffix.lower() in _TABLES
    row = next(iter(read_rows(path, header=True)), None)
    question = None if row is None else _known(row, _QUESTIONS)
    answer = None if row is None else _known(row, _ANSWERS)
    if row is not None and question is not None and answer is not None:
        others = {"context": _known(row, ("context",)), "choices": _several(row)}
        return {"question": question, "answer": answer, **{name: way for name, way in others.items() if way is not None}}
    if table:
        return {"question": 0, "answer": 1} if len(names) > 1 else {"question": 0}
    known = [name for name in names if name not in (question, answer)]
    first = question or (known.pop(0) if known else names[0])
    last = answer or (known.pop(0) if known else None)
    return {"question": first} if last is None else {"question": first, "answer": last}


def _known(row: FileRow, wanted: Iterable[str]) -> str | None:
    """The first of the columns that the row has with text in it, whatever the case of their names."""
    spelt = {str(name).casefold(): str(name) for name in row.cells}
    columns = [spelt.get(name, name) for name in wanted]
    return next((column for column in columns if has_column(row, column) and _holds_text(row, column)), None)


def _several(row: FileRow) -> str | None:
    """The column of choices, when the row has one."""
    column = _known(row, _CHOICES)
    return column if column is not None and isinstance(as_value(cell_of(row, column, "choices"), column), tuple) else None


def _holds_text(row: FileRow, column: str) -> bool:
    return isinstance(as_value(cell_of(row, column, ""), column), str | tuple)


def _scorer(items: tuple[Item, ...]) -> str:
    answers = [item.texts("answer")[0] for item in items[:200]]
    number = get_scorer("final_number")
    if not any(number.fault(Expected((answer,))) for answer in answers):
        return "final_number"
    return "normalized" if sum(map(len, answers)) / len(answers) < _SHORT else "rouge_l"
