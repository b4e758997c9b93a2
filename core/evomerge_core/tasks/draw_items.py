"""A task's items, read, checked and split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.held_out import leave_out
from evomerge_core.tasks.items.hub import fetch_dataset
from evomerge_core.tasks.items.item_files import Column, load_items
from evomerge_core.tasks.items.items import Item
from evomerge_core.tasks.items.rows import first_names
from evomerge_core.tasks.items.split import ItemSplits, refuse_duplicates, split_items
from evomerge_core.tasks.ready import ReadyTask, get_ready
from evomerge_core.tasks.spec import SplitFiles, Splits, TaskSpec
from evomerge_core.tasks.task import Task


def draw_items(spec: TaskSpec, task: Task, sizes: Splits, *, folder: Path, exclude: str | None = None) -> ItemSplits:
    """Reads the entry's items and draws the splits.

    Relative paths start from `folder`. The questions of the file `exclude` (column `question`, or the first of a TSV or CSV
    without header) are left out; where each split has a file, they are left out of search and validation. Raises
    `InputError` for files that can't be read, items that the task can't ask or score, repeated questions, and too few items.
    """
    if spec.files is not None:
        reader = _reader(spec, folder)
        return _from_files(spec.files, reader, task, sizes, () if exclude is None else reader.questions(exclude))
    items = read_items(spec, task, folder=folder, exclude=exclude)
    return split_items(
        items, search=sizes.search, validation=sizes.validation, test=sizes.test, seed=sizes.seed, task=task.name
    )


def read_items(spec: TaskSpec, task: Task, *, folder: Path, exclude: str | None = None) -> tuple[Item, ...]:
    """All items of an entry whose splits have no files of their own, checked, before any split is drawn."""
    reader = _reader(spec, folder)
    held_out = () if exclude is None else reader.questions(exclude)
    items = _without(reader.items(spec.file) if spec.file is not None else reader.dataset(), held_out, task)
    _check(items, task)
    return items


def _reader(spec: TaskSpec, folder: Path) -> _Reader:
    return _Reader(spec, None if spec.task is None else get_ready(spec.task), folder)


def _from_files(files: SplitFiles, reader: _Reader, task: Task, sizes: Splits, held_out: Sequence[Item]) -> ItemSplits:
    search = reader.items(files.search)
    validation = reader.items(files.validation)
    test = reader.items(files.test)
    if held_out:
        kept = {id(item) for item in _without((*search, *validation), held_out, task)}
        search = tuple(item for item in search if id(item) in kept)
        validation = tuple(item for item in validation if id(item) in kept)
    _check((*search, *validation, *test), task)

    def some(items: Sequence[Item], split: str, size: int) -> tuple[Item, ...]:
        name = f"{task.name}: files: {split}"
        return split_items(items, search=size, validation=0, test=0, seed=sizes.seed, task=name).search

    return ItemSplits(
        search=some(search, "search", sizes.search),
        validation=some(validation, "validation", sizes.validation),
        test=some(test, "test", sizes.test),
    )


def _without(items: tuple[Item, ...], held_out: Sequence[Item], task: Task) -> tuple[Item, ...]:
    return leave_out(items, held_out, name=f"{task.name}: exclude") if held_out else items


def _check(items: Sequence[Item], task: Task) -> None:
    for item in items:
        if isinstance(task.choices, str) and task.choices not in item.fields:
            raise InputError(
                f"no field {task.choices!r}", where=f"{item.origin}: {task.name}: choices", remedy="add it to `fields`"
            )
        task.gold_text(item)
        fault = task.scorer.fault(task.expected(item))
        if fault:
            raise InputError(fault, where=f"{item.origin}: {task.name}")
    refuse_duplicates(items, task.plain_prompt)


@dataclass(frozen=True)
class _Reader:
    """Reads items as one entry names and shapes them."""

    spec: TaskSpec
    ready: ReadyTask | None
    folder: Path

    def items(self, file: str) -> tuple[Item, ...]:
        """The items of a local file."""
        return self._read(self._path(file))

    def dataset(self) -> tuple[Item, ...]:
        """The items of the hub dataset that the entry, or its ready definition, names."""
        spec, ready, key = self.spec, self.ready, f"{self.spec.name}: dataset"
        if spec.dataset is not None:
            paths = fetch_dataset(spec.dataset, spec.config, spec.split or "test", key=key)
        elif ready is not None:
            paths = fetch_dataset(ready.dataset, spec.config or ready.config, spec.split or ready.split, key=key)
        else:
            raise InputError("no items", where=spec.name, remedy="give `file`, `files` or `dataset`")
        return tuple(item for path in paths for item in self._read(path))

    def questions(self, file: str) -> tuple[Item, ...]:
        """The questions of a file of held-out items."""
        path = self._path(file)
        return load_items(path, _columns(path, {"question": ("question",)}, {"question": 0}))

    def _read(self, path: Path) -> tuple[Item, ...]:
        if self.ready is None:
            return load_items(path, self.spec.fields)
        fields = self.spec.fields or _columns(path, self.ready.columns, self.ready.numbers)
        return tuple(self.ready.refine(item) for item in load_items(path, fields))

    def _path(self, file: str) -> Path:
        return self.folder / Path(file).expanduser()


def _columns(path: Path, columns: Mapping[str, tuple[str, ...]], numbers: Mapping[str, int]) -> Mapping[str, Column]:
    """Each field's column: the first of its names that the file has, else its number in a file without such a header."""
    there = first_names(path)
    found = {field: next((name for name in names if name in there), None) for field, names in columns.items()}
    if path.suffix.lower() in (".tsv", ".csv") and None in found.values():
        return numbers
    return {field: found[field] or names[0] for field, names in columns.items()}
