"""A recipe while it is being made: the keys of its file, whole or not yet, and changes to them. Nothing here loads torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.recipe.efforts import EFFORTS, Effort, fitted_splits
from evomerge_core.recipe.schema import last_part
from evomerge_core.sources.confinement import absolute_path, absolute_reference
from evomerge_core.tasks.items.split import SPLITS

Keys = Mapping[str, Any]


@dataclass(frozen=True)
class Draft:
    """`data` are the recipe's keys, those too that no screen shows; relative paths in it start at `folder`. `path` is the
    file that it was read from or saved to, `saved` what that file holds."""

    data: Keys
    folder: Path
    path: Path | None = None
    saved: Keys | None = None

    @property
    def is_saved(self) -> bool:
        """Whether nothing would be lost."""
        return self.data == self.saved

    @property
    def base(self) -> str:
        return str(self.data.get("base") or "")

    @property
    def sources(self) -> tuple[Keys, ...]:
        """Each source's `model` and `name`."""
        return tuple(self.data.get("sources") or ())

    @property
    def tokenizer(self) -> str:
        """The model whose tokenizer the child takes."""
        named = self.data.get("tokenizer_source")
        called = (source["model"] for source in self.sources if named in (source.get("name", ""), source["model"]))
        return self.base if named is None else next(called, self.base)

    @property
    def tasks(self) -> tuple[Keys, ...]:
        return tuple(self.data.get("tasks") or ())

    def absolute(self, reference: str) -> str:
        """A reference with its local paths absolute, as lists of models have them; one that leads astray as it stands."""
        try:
            return absolute_reference(reference, self.folder.absolute()) if reference else ""
        except InputError:
            return reference

    def get(self, *place: str | int, default: Any = None) -> Any:
        """The value at a place, such as `("budget", "minutes")`."""
        here: Any = self.data
        for part in place:
            found = isinstance(here, Mapping) and part in here
            found = found or (isinstance(here, Sequence) and isinstance(part, int) and part < len(here))
            if not found:
                return default
            here = here[part]
        return here

    def put(self, value: Any, *place: str | int) -> Draft:
        """With another value at a place; None takes the key away."""
        return replace(self, data=_put(self.data, value, place))


def new_draft(folder: Path) -> Draft:
    """A recipe with nothing chosen yet."""
    data = {"evomerge": 1, "name": "my-cross", "base": "", "sources": [], "tasks": []}
    draft = with_effort(Draft({**data}, folder), EFFORTS["balanced"])
    return replace(draft, saved=draft.data)


def with_effort(draft: Draft, effort: Effort, items: int | None = None) -> Draft:
    """The search, splits and budget of an effort, its splits made to fit so many items (None: unknown); other keys of splits
    and budget stay."""
    splits = {**(draft.get("splits") or {}), **_splits(effort, items)}
    budget = {**(draft.get("budget") or {}), "evaluations": effort.evaluations}
    return replace(draft, data={**draft.data, "search_space": dict(effort.search_space), "splits": splits, "budget": budget})


def effort_of(draft: Draft, items: int | None = None) -> str | None:
    """The effort whose settings a draft has, its splits made to fit; None where they are the person's own."""
    space = draft.get("search_space") or {}
    for name, effort in EFFORTS.items():
        same_space = all(space.get(key) == value for key, value in effort.search_space.items())
        given = {split: draft.get("splits", split) for split in SPLITS}
        same_splits = given in (effort.splits, _splits(effort, items))
        if same_space and same_splits and draft.get("budget", "evaluations") == effort.evaluations:
            return name
    return None


def _splits(effort: Effort, items: int | None) -> dict[str, int]:
    return dict(effort.splits) if items is None else fitted_splits(effort.splits, items)


def with_base(draft: Draft, reference: str) -> Draft:
    """Another base; adapters of the old one become the new one's."""
    old = draft.base
    if tokenizer_name(draft) == "base":
        draft = draft.put("base", "tokenizer_source")
    draft = draft.put(reference, "base")
    if not old:
        return draft
    moved = [{**source, "model": _moved(source["model"], old, reference)} for source in draft.sources]
    return draft.put(moved, "sources")


def tokenizer_names(draft: Draft) -> tuple[str, ...]:
    """What `tokenizer_source` may say: `base`, the sources' names, and whatever else the recipe says already."""
    known = ("base", *(str(source.get("name") or source["model"]) for source in draft.sources))
    return tuple(dict.fromkeys((*known, *filter(None, [tokenizer_name(draft)]))))


def tokenizer_name(draft: Draft) -> str | None:
    """The one of these that the recipe says, where a model is named by its reference too."""
    named = draft.get("tokenizer_source")
    references = {draft.base: "base", **{source["model"]: source.get("name") for source in draft.sources}}
    return None if named is None else str(references.get(named) or named)


def with_source(draft: Draft, reference: str) -> Draft:
    """One more source, with a label that no other has."""
    taken = {source.get("name") for source in draft.sources}
    label = last_part(reference)
    number, name = 2, label
    while name in taken:
        name, number = f"{label}-{number}", number + 1
    return draft.put([*draft.sources, {"model": reference, "name": name}], "sources")


def without_source(draft: Draft, reference: str) -> Draft:
    left_out = draft.absolute(reference)
    if draft.absolute(draft.tokenizer) == left_out:
        draft = draft.put(None, "tokenizer_source")
    return draft.put([source for source in draft.sources if draft.absolute(source["model"]) != left_out], "sources")


def has_source(draft: Draft, reference: str) -> bool:
    """Whether a model is merged, however the recipe writes its path."""
    wanted = draft.absolute(reference)
    return any(draft.absolute(source["model"]) == wanted for source in draft.sources)


def with_task(draft: Draft, task: Keys) -> Draft:
    """One more task, with a name that no other has."""
    taken = {task_name(other) for other in draft.tasks}
    name, number = task_name(task), 2
    while name in taken:
        name, number = f"{task_name(task)}-{number}", number + 1
    return draft.put([*draft.tasks, {**task, "name": name}], "tasks")


def without_task(draft: Draft, index: int) -> Draft:
    return draft.put([task for place, task in enumerate(draft.tasks) if place != index], "tasks")


def task_name(task: Keys) -> str:
    return str(task.get("name") or task.get("task") or "task")


def moved_to(draft: Draft, folder: Path) -> Draft:
    """The same recipe for a file in another folder: its relative paths, which started at the old one, become absolute.

    Raises InputError for a path that leads outside the old folder.
    """
    if folder.absolute() == draft.folder.absolute():
        return draft
    old = draft.folder
    data = dict(draft.data)
    if data.get("base"):
        data["base"] = absolute_reference(data["base"], old)
    for key in ("sources", "pool"):
        if data.get(key):
            data[key] = [_source_moved(source, old) for source in data[key]]
    if data.get("tokenizer_source") in (draft.base, *(source["model"] for source in draft.sources)):
        data["tokenizer_source"] = absolute_reference(data["tokenizer_source"], old)
    data["tasks"] = [_task_moved(task, old) for task in draft.tasks]
    return replace(draft, data=data, folder=folder)


def _source_moved(source: Keys | str, old: Path) -> Keys | str:
    """A pool's entry may be plain text."""
    if isinstance(source, str):
        return absolute_reference(source, old)
    return {**source, "model": absolute_reference(source["model"], old)}


def _task_moved(task: Keys, old: Path) -> Keys:
    files = task.get("files")
    moved = {key: str(absolute_path(task[key], old)) for key in ("file", "exclude") if task.get(key)}
    return {**task, **moved, **({"files": {k: str(absolute_path(v, old)) for k, v in files.items()}} if files else {})}


def _moved(model: str, old: str, new: str) -> str:
    return f"{new}{model[len(old) :]}" if model.startswith(f"{old}+") else model


def _put(data: Any, value: Any, place: tuple[str | int, ...]) -> Any:
    first, rest = place[0], place[1:]
    if isinstance(first, int):
        return [(_put(entry, value, rest) if rest else value) if at == first else entry for at, entry in enumerate(data)]
    below = dict(data or {})
    if rest:
        below[first] = _put(below.get(first), value, rest)
    elif value is None:
        below.pop(first, None)
    else:
        below[first] = value
    return below
