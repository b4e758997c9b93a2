"""Which choice an item's answer names: one reading for the whole column of answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.choices import LABELS
from evomerge_core.tasks.items.items import Item
from evomerge_core.tasks.spec import Reading
from evomerge_core.tasks.task import Task

_LABEL = "label"
_FLAGS = "flags"
_TRUTH = "truth"
_WORDS: Mapping[str, str] = {
    "text": "a choice's text",
    "letter": "a letter",
    "index_from_0": "an index from 0",
    "index_from_1": "an index from 1",
}
_NOTES: Mapping[str, str] = {
    "text": "answers are read as the text of a choice",
    "letter": "answers are read as letters, A for the first choice",
    "index_from_0": "answers are read as indexes from 0",
    "index_from_1": "answers are read as indexes from 1",
    _LABEL: "answers are read as labels of the choices",
    _FLAGS: "answers are read as a flag for each choice, 1 for the correct one",
    _TRUTH: "answers are read as true for the choice that says yes and false for the one that says no",
}
_INDEXES = ("index_from_0", "index_from_1")
_FLAG_VALUES: Mapping[str, bool] = {"0": False, "1": True, "false": False, "true": True}
# The answers of BoolQ are true and false, whatever words its choices are put in.
_SAID: Mapping[str, tuple[str, ...]] = {"true": ("true", "yes"), "false": ("false", "no")}


@dataclass(frozen=True)
class _Row:
    """An item's answer (of several, the first) and choices, and whether the file has them as numbers."""

    origin: str
    answer: str
    flags: tuple[str, ...]
    choices: tuple[str, ...]
    labels: tuple[str, ...]
    number: bool
    number_choices: bool


def find_right_choices(items: Sequence[Item], task: Task, answer_is: Reading | None) -> tuple[tuple[Item, ...], str]:
    """The items with the place of the correct choice, and in words how their answers were read.

    A reading must fit all items. Answers that are numbers in the file (JSON's `2`, not `"2"`) are indexes rather than texts
    where the choices are texts: MMLU's layout. `answer_is` settles what several readings fit. Raises `InputError` that names
    the row where no reading fits, or two don't mean the same.
    """
    rows = [_row(item, task) for item in items]
    reading = answer_is or _only_reading(rows, task.name)
    places = [_READERS[reading](row) for row in rows]
    for row, place in zip(rows, places, strict=True):
        if place is None:
            problem = f"the answer {row.answer!r} isn't {_WORDS[reading]} among {len(row.choices)} choices"
            raise InputError(problem, where=f"{row.origin}: {task.name}", remedy="correct it or `answer_is`")
    return tuple(replace(item, right=place) for item, place in zip(items, places, strict=True)), _NOTES[reading]


def _row(item: Item, task: Task) -> _Row:
    expected = task.expected(item)
    return _Row(
        origin=item.origin,
        answer=expected.references[0].strip(),
        flags=expected.references,
        choices=tuple(choice.strip() for choice in expected.choices),
        labels=tuple(label.strip() for label in item.texts(LABELS)) if LABELS in item.fields else (),
        number="answer" in item.numbers,
        number_choices=isinstance(task.choices, str) and task.choices in item.numbers,
    )


def _only_reading(rows: Sequence[_Row], task: str) -> str:
    for certain in (_LABEL, _FLAGS, _TRUTH):
        if all(_READERS[certain](row) is not None for row in rows):
            return certain
    places = {reading: [_READERS[reading](row) for row in rows] for reading in _WORDS}
    fitting = [reading for reading, found in places.items() if None not in found]
    if not fitting:
        raise _nothing_fits(rows, places, task)
    if all(row.number and not row.number_choices for row in rows) and any(reading in fitting for reading in _INDEXES):
        fitting = [reading for reading in fitting if reading != "text"]
    for other in fitting[1:]:
        if places[other] != places[fitting[0]]:
            raise _two_fit(rows, places, (fitting[0], other), task)
    return fitting[0]


def _two_fit(rows: Sequence[_Row], places: Mapping[str, list[int | None]], both: tuple[str, str], task: str) -> InputError:
    one, other = both
    at = next(at for at, (first, second) in enumerate(zip(places[one], places[other], strict=True)) if first != second)
    row = rows[at]
    named = [f"{row.choices[places[reading][at] or 0]!r} as {_WORDS[reading]}" for reading in both]
    return InputError(
        f"the answer {row.answer!r} is the choice {' or '.join(named)}, and so are all answers of the task",
        where=f"{row.origin}: {task}",
        remedy=f"add `answer_is: {one}` or `answer_is: {other}`",
    )


def _nothing_fits(rows: Sequence[_Row], places: Mapping[str, list[int | None]], task: str) -> InputError:
    """The error for the first row that is none of the choices, else for the first that is read otherwise than those before."""
    so_far = set(_WORDS)
    for place, row in enumerate(rows):
        fits = {reading for reading in _WORDS if places[reading][place] is not None}
        if not fits:
            return InputError(
                f"the answer {row.answer!r} is none of the choices",
                where=f"{row.origin}: {task}",
                remedy="use a choice's text, letter or index, or name the column of the choices' labels as the field `labels`",
            )
        if not so_far & fits:
            return InputError(
                f"the answer {row.answer!r} is {_listed(fits)}, but the ones before it are {_listed(so_far)}",
                where=f"{row.origin}: {task}",
                remedy="write all answers alike, or name the column of the choices' labels as the field `labels`",
            )
        so_far &= fits
    raise AssertionError("some reading fits all rows")


def _listed(readings: set[str]) -> str:
    return " or ".join(words for reading, words in _WORDS.items() if reading in readings)


def _text(row: _Row) -> int | None:
    if row.answer in row.choices:
        return row.choices.index(row.answer)
    # `B. fox`: the letter and the text of one choice
    both = re.fullmatch(r"\(?([A-Za-z])[.:)]\s*(.+)", row.answer, re.DOTALL)
    place = None if both is None else _within(ord(both[1].upper()) - ord("A"), row)
    return place if both is not None and place is not None and row.choices[place] == both[2].strip() else None


def _letter(row: _Row) -> int | None:
    letter = re.fullmatch(r"\(?([A-Z])[.:)]?", row.answer.upper())
    return _within(ord(letter[1]) - ord("A"), row) if letter else None


def _index(row: _Row, first: int) -> int | None:
    return _within(int(row.answer.partition(".")[0]) - first, row) if re.fullmatch(r"[0-9]{1,9}(\.0)?", row.answer) else None


def _label(row: _Row) -> int | None:
    if len(row.labels) != len(row.choices):
        return None
    for spelt in (str, _bare):
        labels, answer = [spelt(label) for label in row.labels], spelt(row.answer)
        if len(set(labels)) == len(labels) and answer in labels:
            return labels.index(answer)
    return None


def _bare(label: str) -> str:
    """A label without what is written around it: `(A)`, `A.` and `a` are one."""
    return label.strip("(). :").casefold()


def _flags(row: _Row) -> int | None:
    flags = [_FLAG_VALUES.get(flag) for flag in row.flags]
    return flags.index(True) if len(flags) == len(row.choices) and flags.count(True) == 1 and None not in flags else None


def _truth(row: _Row) -> int | None:
    said = [choice.casefold() for choice in row.choices]
    places = {word: [place for place, choice in enumerate(said) if choice in words] for word, words in _SAID.items()}
    if row.answer.casefold() not in _SAID or any(len(found) != 1 for found in places.values()):
        return None
    return places[row.answer.casefold()][0]


def _within(place: int, row: _Row) -> int | None:
    return place if 0 <= place < len(row.choices) else None


_READERS: Mapping[str, Callable[[_Row], int | None]] = {
    "text": _text,
    "letter": _letter,
    "index_from_0": lambda row: _index(row, 0),
    "index_from_1": lambda row: _index(row, 1),
    _LABEL: _label,
    _FLAGS: _flags,
    _TRUTH: _truth,
}
