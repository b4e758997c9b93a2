"""A task's items, read, checked and split."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.path_text import written_path
from evomerge_core.tasks.folded_text import fold
from evomerge_core.tasks.items.choices import LABELS
from evomerge_core.tasks.items.columns import Column
from evomerge_core.tasks.items.held_out import leave_out
from evomerge_core.tasks.items.hub import fetch_dataset
from evomerge_core.tasks.items.item_files import load_items
from evomerge_core.tasks.items.items import Item, hash_items
from evomerge_core.tasks.items.pictures import IMAGE, is_web_address
from evomerge_core.tasks.items.rows import first_names
from evomerge_core.tasks.items.split import SPLITS, ItemSplits, Kept, split_items, without_repeats
from evomerge_core.tasks.ready import ReadyTask, get_ready
from evomerge_core.tasks.right_choices import find_right_choices
from evomerge_core.tasks.spec import Splits, TaskSpec
from evomerge_core.tasks.task import Task

# The keys of an entry that name items; where each split has a file, also `files.search` and its like.
FILE, DATASET, EXCLUDE = "file", "dataset", "exclude"
_COMPLETE = "add it or remove the row"
_NAMED_PAIRS = 3
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class ReadItems:
    """The items of a task before any split is drawn; `notes` are lines on how they were read."""

    items: tuple[Item, ...]
    notes: tuple[str, ...]


def draw_items(spec: TaskSpec, task: Task, sizes: Splits, *, folder: Path, exclude: str | None = None) -> ItemSplits:
    """Reads the entry's items and draws the splits.

    Relative paths start from `folder`. The questions of the file `exclude` (column `question`, or the first of a TSV or CSV
    without header) are left out; where each split has a file, they are left out of search and validation. Items that repeat
    another of their file are left out, and so are those that answer a question differently, or ask what a later split's file
    asks; `notes` count them. Raises `InputError` for files that can't be read, items that the task can't ask or score, answers
    that can be read in two ways, and too few items.
    """
    reader = open_items(spec, task, folder)
    files = reader.all_items(exclude)
    if spec.files is None:
        read = _one_file(files, reader, task)
        drawn = split_items(
            read.items, search=sizes.search, validation=sizes.validation, test=sizes.test, seed=sizes.seed, task=task.name
        )
        drawn = replace(drawn, notes=read.notes)
    else:
        drawn = _from_files(files, reader, task, sizes)
    return replace(drawn, hashes={key: hash_items(items) for key, items in files.items()})


def read_items(spec: TaskSpec, task: Task, *, folder: Path, exclude: str | None = None) -> ReadItems:
    """All items of an entry whose splits have no files of their own, checked, before any split is drawn."""
    reader = open_items(spec, task, folder)
    return _one_file(reader.all_items(exclude), reader, task)


def named_files(spec: TaskSpec) -> dict[str, str]:
    """The local files that an entry's splits come from, by the key that names them; none where they come from a dataset."""
    if spec.file is not None:
        return {FILE: spec.file}
    return {} if spec.files is None else {f"files.{split}": getattr(spec.files, split) for split in SPLITS}


def _one_file(files: Mapping[str, tuple[Item, ...]], reader: ItemReader, task: Task) -> ReadItems:
    items = _without(files[FILE if FILE in files else DATASET], files.get(EXCLUDE, ()), task)
    ((kept,), notes) = _checked([items], reader.spec, task)
    return ReadItems(kept, notes)


def open_items(spec: TaskSpec, task: Task, folder: Path) -> ItemReader:
    """What reads an entry's items; relative paths start from `folder`."""
    return ItemReader(spec, task, None if spec.task is None else get_ready(spec.task), folder)


def _from_files(files: Mapping[str, tuple[Item, ...]], reader: ItemReader, task: Task, sizes: Splits) -> ItemSplits:
    search, validation, test = (files[f"files.{split}"] for split in SPLITS)
    held_out = files.get(EXCLUDE, ())
    if held_out:
        kept = {id(item) for item in _without((*search, *validation), held_out, task)}
        search = tuple(item for item in search if id(item) in kept)
        validation = tuple(item for item in validation if id(item) in kept)
    parts, notes = _checked([search, validation, test], reader.spec, task)

    def some(items: Sequence[Item], split: str, size: int) -> tuple[Item, ...]:
        name = f"{task.name}: files: {split}"
        return split_items(items, search=size, validation=0, test=0, seed=sizes.seed, task=name).search

    return ItemSplits(
        search=some(parts[0], "search", sizes.search),
        validation=some(parts[1], "validation", sizes.validation),
        test=some(parts[2], "test", sizes.test),
        notes=notes,
    )


def _without(items: tuple[Item, ...], held_out: Sequence[Item], task: Task) -> tuple[Item, ...]:
    return leave_out(items, held_out, name=f"{task.name}: exclude") if held_out else items


def _checked(files: Sequence[Sequence[Item]], spec: TaskSpec, task: Task) -> tuple[list[tuple[Item, ...]], tuple[str, ...]]:
    """The items of each file that can be asked and scored, their answers read alike, none twice; and how that went."""
    items = tuple(item for file in files for item in file)
    named = task.named_fields
    answered = any("answer" in item.fields for item in items)
    for item in items:
        _check(item, task, named, answered)
    notes = list(_not_fetched(items))
    if task.scorer.choices and items:
        items, note = find_right_choices(items, task, spec.answer_is)
        notes.append(note)
    read = iter(items)
    kept = without_repeats([tuple(islice(read, len(file))) for file in files], partial(_question, task), partial(_answer, task))
    return list(kept.files), (*notes, *_left_out(kept, len(items)))


def _not_fetched(items: Sequence[Item]) -> Iterator[str]:
    """A line where a column that is called like pictures has addresses, which are texts here."""
    addresses = sum(_has_address(item) for item in items)
    if addresses:
        yield f"{addresses} of {len(items)} items have an address for `{IMAGE}`: pictures are never fetched, so none is shown"


def _has_address(item: Item) -> bool:
    return IMAGE in item.fields and any(map(is_web_address, item.texts(IMAGE)))


def _left_out(kept: Kept, total: int) -> Iterator[str]:
    """What was left out, a line for each reason."""
    if kept.repeats:
        yield f"{kept.repeats} of {total} items repeat an earlier one and are left out"
    if kept.shared:
        yield f"{kept.shared} of {total} items ask what a later split's file asks too and are left out of the earlier one"
    if kept.doubtful:
        named = "; ".join(f"{first} and {second}" for first, second in kept.pairs[:_NAMED_PAIRS])
        more = f"; {len(kept.pairs) - _NAMED_PAIRS} more" if len(kept.pairs) > _NAMED_PAIRS else ""
        yield f"{kept.doubtful} of {total} items answer the same question differently and are left out: {named}{more}"


def _question(task: Task, item: Item) -> Hashable:
    """What makes two items ask the same, of the same pictures; where the choices stand doesn't."""
    return task.plain_prompt(item).strip(), tuple(sorted(task.expected(item).choices)), item.pictures


def _answer(task: Task, item: Item) -> Hashable:
    expected = task.expected(item)
    if expected.right is not None:
        return expected.choices[expected.right]
    return tuple(sorted(fold(reference) for reference in expected.references))


def _check(item: Item, task: Task, named: frozenset[str], answered: bool) -> None:
    """Whether an item can be asked and scored; `named` are the fields that the task names, `answered` is whether any item of
    it has an answer."""
    where = f"{item.origin}: {task.name}"
    for name in sorted(named.intersection(item.unread)):
        raise _unread(item, name, where)
    if IMAGE in named and _has_address(item):
        problem = f"the prompt shows `{IMAGE}`, which is an address; pictures are never fetched"
        raise InputError(problem, where=where, remedy="download them and give the files' paths from the items' folder")
    if isinstance(task.choices, str) and task.choices not in item.fields:
        raise InputError(f"no field {task.choices!r}", where=f"{where}: choices", remedy="add it to `fields`")
    try:
        texts = (task.plain_prompt(item), task.gold_text(item), *task.expected(item).choices)
    except InputError as error:
        raise error.within(item.origin) from None
    fault = task.scorer.fault(task.expected(item))
    if fault and "answer" in item.unread:
        raise _unread(item, "answer", where)
    if fault and answered and "answer" not in item.fields:
        raise InputError("no `answer`, which other items have", where=where, remedy=_COMPLETE)
    if fault:
        raise InputError(fault, where=where)
    if any(_SURROGATE.search(text) for text in texts):
        raise InputError("the text has half a character (a lone surrogate)", where=where, remedy="correct it")


def _unread(item: Item, name: str, where: str) -> InputError:
    why = item.unread[name]
    return InputError(f"the column `{name}` holds no text: {why.reason}", where=where, remedy=why.remedy)


@dataclass(frozen=True)
class ItemReader:
    """Reads items as one entry names and shapes them."""

    spec: TaskSpec
    task: Task
    ready: ReadyTask | None
    folder: Path

    def all_items(self, exclude: str | None) -> dict[str, tuple[Item, ...]]:
        """The items of each file and dataset that the entry names, by the key that names it, each read once; those of the file
        `exclude` have their question alone. Raises `InputError` for what can't be read."""
        held_out = {} if exclude is None else {EXCLUDE: self._questions(exclude)}
        found = {key: self._read(self._path(file)) for key, file in named_files(self.spec).items()} or {
            DATASET: self._dataset()
        }
        return found | held_out

    def _dataset(self) -> tuple[Item, ...]:
        """The items of the hub dataset that the entry, or its ready definition, names."""
        return tuple(item for path in self.fetch() for item in self._read(path))

    def fetch(self) -> tuple[Path, ...]:
        """The files of that dataset, downloaded when they aren't there yet."""
        spec, ready, key = self.spec, self.ready, f"{self.spec.name}: dataset"
        if spec.dataset is not None:
            return fetch_dataset(spec.dataset, spec.config, spec.split or "test", key=key)
        if ready is not None:
            return fetch_dataset(ready.dataset, spec.config or ready.config, spec.split or ready.split, key=key)
        raise InputError("no items", where=spec.name, remedy="give `file`, `files` or `dataset`")

    def _questions(self, file: str) -> tuple[Item, ...]:
        """The questions of a file of held-out items."""
        path = self._path(file)
        return load_items(path, _columns(path, {"question": ("question",)}, {"question": 0}))

    def _read(self, path: Path) -> tuple[Item, ...]:
        if self.ready is None:
            choices = self.task.choices if isinstance(self.task.choices, str) else None
            return load_items(path, self.spec.fields, _nested(self.spec, self.task), choices=choices)
        fields = self.spec.fields or _columns(path, self.ready.columns, self.ready.numbers)
        return tuple(self.ready.refine(item) for item in load_items(path, fields))

    def _path(self, file: str) -> Path:
        return self.folder / written_path(file)


def _nested(spec: TaskSpec, task: Task) -> Mapping[str, Column]:
    """What an entry names by dots without a column in `fields`, and where the labels of its choices are by themselves: `label`
    beside `text`, as in ARC and CommonsenseQA."""
    named = {name: name for name in task.named_fields if "." in name and spec.fields is None}
    column = (spec.fields or named).get(spec.choices) if isinstance(spec.choices, str) else None
    if not isinstance(column, str) or not column.endswith(".text"):
        return named
    return {**named, LABELS: f"{column.removesuffix('.text')}.label"}


def _columns(path: Path, columns: Mapping[str, tuple[str, ...]], numbers: Mapping[str, int]) -> Mapping[str, Column]:
    """Each field's column: the first of its names that the file has, else its number in a file without such a header."""
    there = first_names(path)
    found = {field: next((name for name in names if name in there), None) for field, names in columns.items()}
    if path.suffix.lower() in (".tsv", ".csv") and None in found.values():
        return numbers
    return {field: found[field] or names[0] for field, names in columns.items()}
