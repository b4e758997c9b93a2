"""Choices as data sets write them: a list, a column for each, an object of texts by label, objects of a label and a text."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence

LABELS = "labels"
_TEXT_KEYS = ("text", "value", "content", "choice")
_LABEL_KEYS = ("label", "key", "id", "letter", "option")
_QUOTED = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
# numpy's arrays as text have no commas, and pandas writes them into a CSV so
_WITHOUT_COMMAS = re.compile(rf"\[\s*{_QUOTED}(?:\s+{_QUOTED})+\s*\]")


def texts_and_labels(cell: object) -> tuple[object, list[object] | None]:
    """The texts of a cell that holds choices, and their labels where it has some.

    A cell with anything else is given back as it is. A table's cell may have the list or the object as JSON or Python write it.
    """
    cell = _written_out(cell)
    if isinstance(cell, list) and cell and all(isinstance(one, tuple) and len(one) == 2 for one in cell):
        cell = dict(cell)  # a map of Parquet
    if isinstance(cell, list) and cell and all(isinstance(one, Mapping) for one in cell):
        return _columns(cell)
    if not isinstance(cell, Mapping):
        return cell, None
    pair = _keys(cell)
    if pair is not None and isinstance(cell[pair[0]], list) and isinstance(cell[pair[1]], list):
        return cell[pair[0]], cell[pair[1]]
    if any(isinstance(text, Mapping | list) for text in cell.values()):
        return cell, None
    texts = without_empty_end(list(cell.values()))
    return texts, list(cell)[: len(texts)]


def column_labels(columns: Sequence[str | int]) -> list[object] | None:
    """The labels of choices that have a column each: the columns' names, which MMLU's answers name.

    Columns without names have none, and numbers in names aren't labels: an answer 1 may be an index from 0.
    """
    names = [column.rpartition(".")[2] for column in columns if isinstance(column, str)]
    return None if not names or any(name.isdigit() for name in names) else list(names)


def without_empty_end(cells: Sequence[object]) -> list[object]:
    """The cells up to the last one with something in it: a table of four columns has questions with three choices too."""
    kept = list(cells)
    while kept and is_empty(kept[-1]):
        kept.pop()
    return kept


def is_empty(cell: object) -> bool:
    """Whether a cell has nothing in it."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _columns(objects: Sequence[Mapping[object, object]]) -> tuple[object, list[object] | None]:
    pair = _keys(objects[0])
    if pair is None or any(key not in one for one in objects for key in pair):
        return objects, None
    return [one[pair[0]] for one in objects], [one[pair[1]] for one in objects]


def _keys(there: Mapping[object, object]) -> tuple[str, str] | None:
    """The keys of text and label, where an object has both and nothing that could be another of them."""
    texts = [key for key in _TEXT_KEYS if key in there]
    labels = [key for key in _LABEL_KEYS if key in there]
    return (texts[0], labels[0]) if len(texts) == len(labels) == 1 else None


def _written_out(cell: object) -> object:
    """What a text that is a list or an object stands for; any other cell as it is."""
    if not isinstance(cell, str) or cell.lstrip()[:1] not in ("[", "{"):
        return cell
    text = cell.strip()
    if _WITHOUT_COMMAS.fullmatch(text):
        text = f"[{', '.join(re.findall(_QUOTED, text))}]"
    for read in (json.loads, ast.literal_eval):
        try:
            value: object = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return value if isinstance(value, list | dict) else cell
    return cell
