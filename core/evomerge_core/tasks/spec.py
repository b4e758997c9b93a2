"""What a recipe says about a task: where its items come from, how they are asked, and how answers are scored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, model_validator
from pydantic_core import PydanticCustomError

from evomerge_core.errors import nearest_name
from evomerge_core.files.fields import Count, Flag, Frozen, Positive, Text, Whole, key_problem
from evomerge_core.limited.expression import fault_of
from evomerge_core.tasks.scorers.registry import get_scorer, scorer_names

Reading = Literal["text", "letter", "index_from_0", "index_from_1"]


class SplitFiles(Frozen):
    """A file of items for each split."""

    search: Text
    """The items of the search."""
    validation: Text
    """The items of the validation."""
    test: Text
    """The items of the test."""


def _scorer(value: Any) -> Any:
    names = scorer_names()
    if value is None or value in names:
        return value
    near = nearest_name(value, names) if isinstance(value, str) else None
    listed = f"{', '.join(names[:-1])} or {names[-1]}"
    raise key_problem(None, f"must be {listed}, not {value!r}", "" if near is None else f"did you mean {near!r}?")


def _columns(value: Any) -> Any:
    several = value if isinstance(value, list | tuple) else [value]
    if not several or not all(map(_is_column, several)):
        raise key_problem(None, f"must be a column's name, or its number from 0, or a list of these, not {value!r}")
    repeated = next((column for place, column in enumerate(several) if column in several[:place]), None)
    if repeated is not None:
        raise key_problem(None, f"names the column {repeated!r} twice")
    return tuple(value) if isinstance(value, list) else value


def _is_column(value: Any) -> bool:
    return (isinstance(value, str) and value != "") or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


def _choices(value: Any) -> Any:
    texts = isinstance(value, list | tuple) and len(value) > 1 and all(isinstance(text, str) and text for text in value)
    if value is not None and not texts and not (isinstance(value, str) and value):
        raise key_problem(None, "must be a field's name or a list of at least two texts (in quotes)")
    return value


class TaskSpec(Frozen):
    """What the child must be good at.

    Items come from a ready task, a file, a file per split or a dataset on the hub. Keys that aren't given have the ready task's
    values.
    """

    task: Text | None = None
    """A ready task, whose keys the others override. A task written as plain text is this."""
    name: Text
    """How screens and reports call it. Without it: the ready task's name."""
    file: Text | None = None
    """A file of items: JSONL, JSON, TSV, CSV or Parquet."""
    files: SplitFiles | None = None
    """A file for each split, instead of one that is split."""
    dataset: Text | None = None
    """A dataset on the hub, instead of a file."""
    config: Text | None = None
    """The dataset's configuration."""
    split: Text | None = None
    """The dataset's split."""
    fields: Mapping[str, Annotated[str | int | tuple[str | int, ...], BeforeValidator(_columns)]] | None = None
    """Names of fields and the columns that they come from: a column's name, or its number from 0 in a file without a
    header. Dots lead into objects and lists: `choices.text`, `turns.0.value`. A list of columns makes a field of several
    texts: `[A, B, C, D]`. The field `image` holds pictures: a file's path from the item file's folder, or the bytes in a column
    of a Parquet file; a list shows several. Without `fields`, that is a column `image` which holds pictures."""
    prompt: Text | None = None
    """The question, as a template of fields, such as `{question}`. Pictures stand where it says `{image}`, else in front."""
    system: Text | None = None
    """The system message, as a template of fields."""
    chat: Flag | None = None
    """Whether prompts go through the model's chat template. Without it: yes."""
    gold: Text | None = None
    """A correct answer, as a template of fields: its loss orders equal scores."""
    scorer: Annotated[Text | None, BeforeValidator(_scorer)] = None
    """How answers are scored."""
    pattern: Text | None = None
    """`regex` only: the regular expression."""
    choices: Annotated[tuple[str, ...] | str | None, BeforeValidator(_choices)] = None
    """`multiple_choice` only: the texts to choose from, or the field that lists them. A field `labels` names them; by itself
    that is the names of several columns, the keys of an object such as `{"A": "...", "B": "..."}`, or the `label` beside each
    `text`."""
    answer_is: Reading | None = None
    """`multiple_choice` only: how `answer` names the correct choice, in all items alike; A and the first index are the first
    choice. Without it: what fits all items, refused where several do."""
    language: Text | None = None
    """The language that an answer must be in to score, such as `ja`."""
    weight: Positive = 1.0
    """How much the task counts beside the others."""
    max_new_tokens: Count | None = None
    """The most tokens of an answer. Without it: the ready task's, or 256."""
    stop: tuple[Text, ...] | None = None
    """Texts that end an answer."""
    exclude: Text | None = None
    """A file of questions that are left out, such as those that a parent was trained on."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = {"task": value}
        if isinstance(value, Mapping) and isinstance(value.get("task"), str) and "name" not in value:
            return {**value, "name": value["task"]}
        return value

    @model_validator(mode="after")
    def _whole(self) -> TaskSpec:
        self._check_items()
        self._check_scoring()
        return self

    def _check_items(self) -> None:
        places = [key for key in ("file", "files", "dataset") if getattr(self, key) is not None]
        if len(places) > 1:
            raise key_problem(places[1], f"can't be combined with {places[0]}", "keep one")
        if self.task is None and not places:
            raise key_problem(None, "needs items: 'task' (a ready definition), 'file', 'files' or 'dataset'")
        local = self.file is not None or self.files is not None
        for key in ("config", "split"):
            if getattr(self, key) is not None and (local or (self.task is None and self.dataset is None)):
                raise key_problem(key, "has no effect without 'dataset'", "remove it")

    @property
    def _rates_choices(self) -> bool:
        return self.scorer is not None and get_scorer(self.scorer).choices

    def _check_scoring(self) -> None:
        if (self.pattern is not None) != (self.scorer == "regex"):
            raise _partner(self.pattern, "pattern", "scorer: regex", "a regular expression")
        if (self.choices is not None) != self._rates_choices:
            raise _partner(self.choices, "choices", "scorer: multiple_choice", "the texts to choose from or their field")
        if self.answer_is is not None and not self._rates_choices:
            raise key_problem("answer_is", "has no effect without scorer: multiple_choice", "remove it or add that")
        if self._rates_choices:
            for key in ("max_new_tokens", "stop", "language"):
                if getattr(self, key) is not None:
                    raise key_problem(key, f"has no effect with scorer: {self.scorer}, which generates no text", "remove it")
        if self.pattern is not None:
            fault = fault_of(self.pattern)
            if fault:
                raise key_problem("pattern", f"is not a regular expression: {fault}")
        if self.language is not None and not re.fullmatch(r"[a-z]{2,3}", self.language):
            raise key_problem("language", f"must be a language code such as ja, not {self.language!r}")


def _partner(value: object, key: str, needed: str, what: str) -> PydanticCustomError:
    if value is not None:
        return key_problem(key, f"has no effect without {needed}", "remove it or add that")
    return key_problem("scorer", f"needs the key '{key}': {what}")


class Splits(Frozen):
    """How many items each part of a run gets. They are drawn once, by hash."""

    search: Count = 48
    """How many items the search may ask."""
    validation: Whole = 64
    """How many items the finalists meet."""
    test: Count = 200
    """How many items the verdict rests on."""
    seed: Whole = 0
    """Another number draws other items."""
