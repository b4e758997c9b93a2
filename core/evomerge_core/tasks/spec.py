"""What a recipe says about a task: where its items come from, how they are asked, and how answers are scored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, model_validator
from pydantic_core import PydanticCustomError

from evomerge_core.files.fields import Count, Flag, Frozen, Positive, Text, Whole, key_problem

Scorer = Literal[
    "final_number", "exact", "normalized", "multiple_choice", "multiple_choice_per_token", "contains", "regex", "rouge_l"
]
# Scorers that rate given texts by their log-likelihood.
_CHOOSING = ("multiple_choice", "multiple_choice_per_token")


class SplitFiles(Frozen):
    """A file of items for each split."""

    search: Text
    validation: Text
    test: Text


def _column(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "" or (isinstance(value, int) and value < 0):
        raise key_problem(None, f"must be a column's name, or its number from 0, not {value!r}")
    return value


def _choices(value: Any) -> Any:
    texts = isinstance(value, list | tuple) and len(value) > 1 and all(isinstance(one, str) and one for one in value)
    if value is not None and not texts and not (isinstance(value, str) and value):
        raise key_problem(None, "must be a field's name or a list of at least two texts (in quotes)")
    return value


class TaskSpec(Frozen):
    """What the child must be good at. `task` names a ready definition, whose keys the others override.

    Items come from a `file` (JSONL, TSV, CSV, Parquet), from `files` with one for each split, or from a hub `dataset`
    with `config` and `split`. `fields` names columns (a number for a file without header, from 0). `prompt`, `system`
    and `gold` are templates of field names; `chat` uses the model's chat template. None: the ready definition's value,
    or the task's default.
    """

    task: Text | None = None
    name: Text
    file: Text | None = None
    files: SplitFiles | None = None
    dataset: Text | None = None
    config: Text | None = None
    split: Text | None = None
    fields: Mapping[str, Annotated[str | int, BeforeValidator(_column)]] | None = None
    prompt: Text | None = None
    system: Text | None = None
    chat: Flag | None = None
    gold: Text | None = None
    scorer: Scorer | None = None
    pattern: Text | None = None
    choices: Annotated[tuple[str, ...] | str | None, BeforeValidator(_choices)] = None
    language: Text | None = None
    weight: Positive = 1.0
    max_new_tokens: Count | None = None
    stop: tuple[Text, ...] | None = None
    exclude: Text | None = None

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
            raise key_problem(places[1], f"has no effect beside {places[0]}", "keep one")
        if self.task is None and not places:
            raise key_problem(None, "needs items: 'task' (a ready definition), 'file', 'files' or 'dataset'")
        local = self.file is not None or self.files is not None
        for key in ("config", "split"):
            if getattr(self, key) is not None and (local or (self.task is None and self.dataset is None)):
                raise key_problem(key, "has no effect without 'dataset'", "remove it")

    def _check_scoring(self) -> None:
        if (self.pattern is not None) != (self.scorer == "regex"):
            raise _partner(self.pattern, "pattern", "scorer: regex", "a regular expression")
        if (self.choices is not None) != (self.scorer in _CHOOSING):
            raise _partner(self.choices, "choices", "scorer: multiple_choice", "the texts to choose from or their field")
        if self.scorer in _CHOOSING:
            for key in ("max_new_tokens", "stop", "language"):
                if getattr(self, key) is not None:
                    raise key_problem(key, f"has no effect with scorer: {self.scorer}, which generates no text", "remove it")
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise key_problem("pattern", f"is not a regular expression: {error}") from error
        if self.language is not None and not re.fullmatch(r"[a-z]{2,3}", self.language):
            raise key_problem("language", f"must be a language code such as ja, not {self.language!r}")


def _partner(value: object, key: str, needed: str, what: str) -> PydanticCustomError:
    if value is not None:
        return key_problem(key, f"has no effect without {needed}", "remove it or add that")
    return key_problem("scorer", f"needs the key '{key}': {what}")


class Splits(Frozen):
    """Numbers of items, drawn once by hash; `seed` draws others."""

    search: Count = 48
    validation: Whole = 64
    test: Count = 200
    seed: Whole = 0
