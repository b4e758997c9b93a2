"""A task for a person's own file of items: which columns hold what, and how answers are best scored."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.choices import texts_and_labels
from evomerge_core.tasks.items.columns import Column, as_value, cell_of, has_column
from evomerge_core.tasks.items.item_files import load_items
from evomerge_core.tasks.items.items import Item
from evomerge_core.tasks.items.pictures import IMAGE, looks_like_pictures
from evomerge_core.tasks.items.rows import FileRow, first_names, read_rows
from evomerge_core.tasks.scorers.registry import get_scorer
from evomerge_core.tasks.scorers.scorer import Expected

_QUESTIONS = (
    "question", "prompt", "instruction", "input", "problem", "query", "text", "ctx", "question_stem", "sentence", "goal",
)  # fmt: skip
_ANSWERS = (
    "answer", "answer_number", "output", "response", "target", "label", "completion", "gold", "answerkey", "answer_key",
    "correct_answer", "correct_option", "correct", "cop", "answers.text", "answer.text", "answer.value", "mc1_targets.labels",
)  # fmt: skip
_PICTURES = (IMAGE, "images", "picture", "image_path", "img", "photo", "file_name")
_CHOICES = ("choices.text", "choices", "options", "endings", "mc1_targets.choices")
# Columns of a choice each: what is before the letter or number in their names, and what the first of them has.
_FIRST_CHOICE = re.compile(r"((?:option|choice|ending|answer|sol|solution|op|opt)s?[ _-]?)([aA01])|()([aA])", re.IGNORECASE)
_LETTERS = "ABCDEFGHIJ"
# What is in the name of a column that says which choice is right.
_OF_ANSWERS = ("answer", "ans", "correct", "right", "gold", "label", "target", "solution", "index", "idx", "key", "cop")
_LOOKED_AT = 200
_TABLES = (".tsv", ".csv")
_SHORT = 40


def suggest_task(path: Path) -> dict[str, Any]:
    """A suggested task entry for the file, to be corrected by the user. Raises InputError when the file can't be read."""
    names = first_names(path)
    if not names:
        raise InputError("holds no items", where=path, remedy="a task needs at least one")
    fields = _fields(path, names)
    columns = {name: tuple(of) if isinstance(of, list) else of for name, of in fields.items()}
    items = load_items(path, columns, choices="choices")
    prompt = "{context}\n\n{question}" if "context" in fields else "{question}"
    task: dict[str, Any] = {"name": path.stem, "file": str(path.absolute()), "fields": fields, "prompt": prompt}
    if "answer" not in fields:
        raise InputError(f"no column for the answer among {', '.join(names)}", where=path, remedy="name one of them 'answer'")
    if "choices" in fields:
        return {**task, "scorer": "multiple_choice", "choices": "choices"}
    return {**task, "scorer": _scorer(items), "max_new_tokens": 256}


def _fields(path: Path, names: tuple[str, ...]) -> dict[str, Column | list[Column]]:
    """Fields by column name where the names are known ones; else the first two columns."""
    table = path.suffix.lower() in _TABLES
    row = next(iter(read_rows(path, header=True)), None)
    question = None if row is None else _known(row, _QUESTIONS)
    listed = None if row is None else _several(row) or _list_of_texts(row)
    pointing = None if listed is None else _pointing(path, listed)
    answer = pointing or (None if row is None else _known(row, _ANSWERS))
    if row is not None and question is not None and answer is not None:
        choices = (listed if pointing else _several(row)) or _spread(row, answer)
        others = {"context": _known(row, ("context",)), "choices": choices, IMAGE: _shown(row)}
        return {"question": question, "answer": answer, **{name: way for name, way in others.items() if way}}
    if table:
        return _of_numbers(path, len(names))
    known = [name for name in names if name not in (question, answer)]
    first = question or (known.pop(0) if known else names[0])
    last = answer or (known.pop(0) if known else None)
    return {"question": first} if last is None else {"question": first, "answer": last}


def _shown(row: FileRow) -> str | None:
    """The column of pictures, when the row has one."""
    spelt = {str(name).casefold(): str(name) for name in row.cells}
    columns = [spelt[name] for name in _PICTURES if name in spelt]
    return next((column for column in columns if looks_like_pictures(row.cells[column])), None)


def _known(row: FileRow, wanted: Iterable[str]) -> str | None:
    """The first of the columns that the row has with text in it, whatever the case of their names."""
    spelt = {str(name).casefold(): str(name) for name in row.cells}
    columns = [spelt.get(name, name) for name in wanted]
    return next((column for column in columns if has_column(row, column) and _holds_text(row, column)), None)


def _of_numbers(path: Path, width: int) -> dict[str, Column | list[Column]]:
    """The columns of a table without names: MMLU's, where the last one is a letter in all rows, or question and answer."""
    letters = _LETTERS[: max(width - 2, 0)]
    last = {str(row.cells.get(width - 1)).strip() for row in read_rows(path, header=False)}
    if len(letters) > 1 and last <= {*letters}:
        return {"question": 0, "choices": list(range(1, width - 1)), "answer": width - 1}
    return {"question": 0, "answer": 1} if width > 1 else {"question": 0}


def _several(row: FileRow) -> str | None:
    """The column of choices, when the row has one."""
    spelt = {str(name).casefold(): str(name) for name in row.cells}
    columns = [spelt.get(name, name) for name in _CHOICES]
    return next((column for column in columns if has_column(row, column) and _lists_texts(row, column)), None)


def _list_of_texts(row: FileRow) -> str | None:
    """A column of several texts, whatever it is called."""
    return next((str(name) for name in row.cells if _lists_texts(row, str(name)) and len(_texts(row, str(name))) > 1), None)


def _pointing(path: Path, choices: str) -> str | None:
    """The column that names one of the choices in every row that is looked at: by its text, a letter or an index."""
    rows = list(islice(read_rows(path, header=True), _LOOKED_AT))
    names = [str(name) for name in rows[0].cells if str(name) != choices]
    pointing = [name for name in names if _hints(name) and all(_points(row, name, choices) for row in rows)]
    known = [name for name in pointing if name.casefold() in _ANSWERS]
    return next(iter([*sorted(known, key=lambda name: _ANSWERS.index(name.casefold())), *pointing]), None)


def _hints(name: str) -> bool:
    return any(word in name.casefold() for word in _OF_ANSWERS)


def _points(row: FileRow, name: str, choices: str) -> bool:
    texts, given = _texts(row, choices), _text(row, name)
    letters = _LETTERS[: len(texts)]
    return given is not None and given in {*texts, *letters, *letters.lower(), *map(str, range(len(texts) + 1))}


def _texts(row: FileRow, column: str) -> tuple[str, ...]:
    """The texts of a column of choices; none where it has none."""
    if not has_column(row, column):
        return ()
    texts = as_value(texts_and_labels(cell_of(row, column, "choices"))[0], column)
    return texts if isinstance(texts, tuple) else ()


def _lists_texts(row: FileRow, column: str) -> bool:
    texts, _ = texts_and_labels(cell_of(row, column, "choices"))
    return isinstance(as_value(texts, column), tuple)


def _spread(row: FileRow, answer: str) -> list[Column]:
    """The columns of a choice each, when the row has some and its answer can be one of them."""
    given = _text(row, answer)
    for first in filter(None, (_FIRST_CHOICE.fullmatch(str(name)) for name in row.cells)):
        start, mark = first[1] or "", first[2] or first[4]
        series = (f"{start}{chr(ord(mark) + step)}" for step in range(len(_LETTERS)))
        columns = list(takewhile(lambda name: _text(row, name) is not None, series))
        letters = _LETTERS[: len(columns)]
        indexes = map(str, range(len(columns) + 1))
        told = {*columns, *letters, *letters.lower(), *indexes, *(_text(row, name) for name in columns)}
        if len(columns) > (1 if start else 2) and given in told:
            return list(columns)
    return []


def _text(row: FileRow, column: str) -> str | None:
    """The column's one text, when the row has it."""
    text = as_value(cell_of(row, column, ""), column) if has_column(row, column) else None
    return text.strip() if isinstance(text, str) else None


def _holds_text(row: FileRow, column: str) -> bool:
    return isinstance(as_value(cell_of(row, column, ""), column), str | tuple)


def _scorer(items: tuple[Item, ...]) -> str:
    answers = [item.texts("answer")[0] for item in items[:200]]
    number = get_scorer("final_number")
    if not any(number.fault(Expected((answer,))) for answer in answers):
        return "final_number"
    return "normalized" if sum(map(len, answers)) / len(answers) < _SHORT else "rouge_l"
