"""A task for a person's own file of items: which columns hold what, and how answers are best scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.item_files import load_items
from evomerge_core.tasks.items.items import Item
from evomerge_core.tasks.items.rows import first_names
from evomerge_core.tasks.scorers.final_number import last_number

_QUESTIONS = ("question", "prompt", "instruction", "input", "problem", "query", "text")
_ANSWERS = ("answer", "answer_number", "output", "response", "target", "label", "completion", "gold")
_SHORT = 40


def suggest_task(path: Path) -> dict[str, Any]:
    """A suggested task entry for the file, to be corrected by the user. Raises InputError when the file can't be read."""
    names = first_names(path)
    fields = _fields(path, names)
    items = load_items(path, fields)
    task: dict[str, Any] = {"name": path.stem, "file": str(path.absolute()), "fields": fields, "prompt": "{question}"}
    if "answer" not in fields:
        raise InputError(f"no column for the answer among {', '.join(names)}", where=path, remedy="name one of them 'answer'")
    return {**task, "scorer": _scorer(items), "max_new_tokens": 256}


def _fields(path: Path, names: tuple[str, ...]) -> dict[str, str | int]:
    """Fields by column name where the names are known ones; else the first two columns."""
    lowered = {name.casefold(): name for name in names}
    question = next((lowered[name] for name in _QUESTIONS if name in lowered), None)
    answer = next((lowered[name] for name in _ANSWERS if name in lowered), None)
    if question is not None and answer is not None:
        return {"question": question, "answer": answer}
    if path.suffix.lower() in (".tsv", ".csv"):
        return {"question": 0, "answer": 1} if len(names) > 1 else {"question": 0}
    known = [name for name in names if name not in (question, answer)]
    first = question or (known.pop(0) if known else names[0])
    last = answer or (known.pop(0) if known else None)
    return {"question": first} if last is None else {"question": first, "answer": last}


def _scorer(items: tuple[Item, ...]) -> str:
    answers = [item.texts("answer")[0] for item in items[:200]]
    if all(last_number(answer) for answer in answers):
        return "final_number"
    return "normalized" if sum(map(len, answers)) / len(answers) < _SHORT else "rouge_l"
