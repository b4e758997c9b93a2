"""A recipe: what the user asks for, as frozen pydantic models. Unknown keys are refused; nothing here imports torch.

Rules that need the methods' parameters are in `consistency`; files are read by `load`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from evomerge_core.files.fields import Count, Flag, Frozen, ParameterRange, Positive, Text, Whole, key_problem
from evomerge_core.genome.presets import complete
from evomerge_core.paths.spec import Paths

Precision = Literal["nf4", "bf16", "fp32"]
# What products are computed in.
Arithmetic = Literal["float32", "bfloat16"]
Scorer = Literal[
    "final_number", "exact", "normalized", "multiple_choice", "multiple_choice_per_token", "contains", "regex", "rouge_l"
]
# Scorers that rate given texts by their log-likelihood.
_CHOOSING = ("multiple_choice", "multiple_choice_per_token")


class SourceSpec(Frozen):
    """A model that is merged: a folder, `owner/name@revision`, or either `+adapter`; `name` is its label on screens."""

    model: Text
    name: Text

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = {"model": value}
        if isinstance(value, Mapping) and isinstance(value.get("model"), str) and "name" not in value:
            return {**value, "name": last_part(value["model"])}
        return value


def last_part(reference: str) -> str:
    """What a reference is called when it has no name: the adapter's or model's last path part, without revision."""
    path = reference.rsplit("+", 1)[-1].rstrip("/\\")
    name = re.split(r"[/\\]", path)[-1]
    return name.split("@")[0] or reference


def _bands(value: Any) -> Any:
    if value != "auto" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise key_problem(None, f"must be a whole number from 1, or auto, not {value!r}")
    return value


class Groups(Frozen):
    """Which tensors share their numbers.

    `bands` consecutive layers of equal size (auto: as many as keep the search at 20 numbers or fewer), or bands of
    `band_layers` layers each; with `parts`, attention, MLP and the rest apart in each; or with `filters`, the tensors
    whose name holds each text, and the rest. Words: whole, parts, layers (each layer alone), auto.
    """

    parts: Flag = False
    filters: tuple[Text, ...] = ()
    bands: Annotated[int | Literal["auto"], BeforeValidator(_bands)] = 1
    band_layers: Count | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in _GROUP_WORDS:
            words = ", ".join(_GROUP_WORDS)
            raise key_problem(None, f"must be one of {words}, or a mapping such as {{bands: 4}}, not {value!r}")
        return _GROUP_WORDS[value]

    @model_validator(mode="after")
    def _one_way(self) -> Groups:
        if self.parts and self.filters:
            raise key_problem("filters", "has no effect beside parts; keep one")
        if len(set(self.filters)) < len(self.filters):
            raise key_problem("filters", "names a text twice; keep one")
        if self.band_layers is not None and "bands" in self.model_fields_set:
            raise key_problem("band_layers", "has no effect beside bands; keep one")
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> Any:
        fields = type(self).model_fields
        return {name: value for name, value in handler(self).items() if getattr(self, name) != fields[name].default}


_GROUP_WORDS: Mapping[str, Mapping[str, Any]] = {
    "whole": {},
    "parts": {"parts": True},
    "layers": {"band_layers": 1},
    "auto": {"bands": "auto"},
}


def _scalar(value: Any) -> Any:
    if not isinstance(value, bool | int | float):
        raise key_problem(None, f"must be a number, true or false, not {value!r}")
    return value


class SearchSpace(Frozen):
    """What is evolved: `parameters` per source and group; `fixed` are the method's other parameters.

    Keys that aren't given come from the preset, as far as the method has them.
    """

    preset: Literal["default", "paper"] = "default"
    method: Text
    groups: Groups
    parameters: Mapping[str, ParameterRange]
    fixed: Mapping[str, Annotated[bool | int | float, BeforeValidator(_scalar)]]

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, value: Any) -> Any:
        return complete(value) if isinstance(value, Mapping) else value

    @model_validator(mode="after")
    def _apart(self) -> SearchSpace:
        both = sorted(set(self.parameters) & set(self.fixed))
        if both:
            raise key_problem("fixed", f"holds {both[0]}, which is evolved under 'parameters'; keep one")
        return self


class SplitFiles(Frozen):
    """A file of items for each split."""

    search: Text
    validation: Text
    test: Text


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
    fields: Mapping[str, Annotated[str | int, BeforeValidator(lambda value: _column(value))]] | None = None
    prompt: Text | None = None
    system: Text | None = None
    chat: Flag | None = None
    gold: Text | None = None
    scorer: Scorer | None = None
    pattern: Text | None = None
    choices: Annotated[tuple[str, ...] | str | None, BeforeValidator(lambda value: _choices(value))] = None
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
            raise key_problem(places[1], f"has no effect beside {places[0]}; keep one")
        if self.task is None and not places:
            raise key_problem(None, "needs items: 'task' (a ready definition), 'file', 'files' or 'dataset'")
        local = self.file is not None or self.files is not None
        for key in ("config", "split"):
            if getattr(self, key) is not None and (local or (self.task is None and self.dataset is None)):
                raise key_problem(key, "has no effect without 'dataset'; remove it")

    def _check_scoring(self) -> None:
        if (self.pattern is not None) != (self.scorer == "regex"):
            raise _partner(self.pattern, "pattern", "scorer: regex", "a regular expression")
        if (self.choices is not None) != (self.scorer in _CHOOSING):
            raise _partner(self.choices, "choices", "scorer: multiple_choice", "the texts to choose from or their field")
        if self.scorer in _CHOOSING:
            for key in ("max_new_tokens", "stop", "language"):
                if getattr(self, key) is not None:
                    raise key_problem(key, f"has no effect with scorer: {self.scorer}, which generates no text; remove it")
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise key_problem("pattern", f"is not a regular expression: {error}") from error
        if self.language is not None and not re.fullmatch(r"[a-z]{2,3}", self.language):
            raise key_problem("language", f"must be a language code such as ja, not {self.language!r}")


def _column(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "" or (isinstance(value, int) and value < 0):
        raise key_problem(None, f"must be a column's name, or its number from 0, not {value!r}")
    return value


def _choices(value: Any) -> Any:
    texts = isinstance(value, list | tuple) and len(value) > 1 and all(isinstance(one, str) and one for one in value)
    if value is not None and not texts and not (isinstance(value, str) and value):
        raise key_problem(None, "must be a field's name or a list of at least two texts (in quotes)")
    return value


def _partner(value: object, key: str, needed: str, what: str) -> PydanticCustomError:
    if value is not None:
        return key_problem(key, f"has no effect without {needed}; remove it or add that")
    return key_problem("scorer", f"needs the key '{key}': {what}")


class Splits(Frozen):
    """Numbers of items, drawn once by hash; `seed` draws others."""

    search: Count = 48
    validation: Whole = 64
    test: Count = 200
    seed: Whole = 0


class Budget(Frozen):
    """When the search ends: after this many evaluated candidates or minutes, whichever comes first."""

    evaluations: Count | None = None
    minutes: Positive | None = None

    @model_validator(mode="after")
    def _some(self) -> Budget:
        if self.evaluations is None and self.minutes is None:
            raise key_problem(None, "needs 'evaluations' or 'minutes', or both")
        return self


class Racing(Frozen):
    """Candidates of a generation meet the same few items of the search, other ones each generation: `first` items of each
    task, then twice as many, up to `items`. `error` is the chance that one as good as the better half is dropped on the way.
    None: a number that fits. Words: on, and off, where every candidate is scored on all of the search's items.
    """

    enabled: Flag = True
    items: Count | None = None
    first: Count | None = None
    error: Annotated[float, Field(strict=True, gt=0, lt=1)] = 0.1

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: Any) -> Any:
        # YAML reads on and off as true and false
        words = {"on": True, "off": False}
        enabled = words.get(value, value) if isinstance(value, str) else value
        return {"enabled": enabled} if isinstance(enabled, bool) else value

    @model_validator(mode="after")
    def _growing(self) -> Racing:
        if not self.enabled and (self.items is not None or self.first is not None or "error" in self.model_fields_set):
            raise key_problem("enabled", "is false, so that the keys beside it have no effect; remove them, or this")
        if self.items is not None and self.first is not None and self.first > self.items:
            raise key_problem("first", f"must be at most items ({self.items}), not {self.first}")
        return self

    @model_serializer(mode="wrap")
    def _as_word(self, handler: SerializerFunctionWrapHandler) -> Any:
        return handler(self) if self.enabled else False


class SearchSettings(Frozen):
    """The optimiser. `sigma` is a fraction of each parameter's range; `population` None: 4 + floor(3 ln n). With `tie_break`
    the gold answers' log-likelihood orders equal scores, and steadies the scores of a race's few items.

    `racing` None: on where the search has enough items, and validation some to choose the winner by.
    """

    algorithm: Literal["cma-es"] = "cma-es"
    population: Annotated[int, Field(strict=True, ge=2)] | None = None
    sigma: Annotated[float, Field(strict=True, gt=0, le=1)] = 1 / 6
    tie_break: Literal["log_likelihood", "none"] = "log_likelihood"
    racing: Racing | None = None

    @model_validator(mode="before")
    @classmethod
    def _default_sigma(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and value.get("sigma", 0) is None:
            return {key: one for key, one in value.items() if key != "sigma"}
        return value


class Stage(Frozen):
    """One search of several: weights (`search_space`) or `paths`; `budget` and `search` are the recipe's unless given.

    `name` stands for the stage's winner in the `sources` of later paths (default: weights or paths).
    """

    name: Text
    search_space: SearchSpace | None = None
    paths: Paths | None = None
    budget: Budget | None = None
    search: SearchSettings | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {"name": "paths" if "paths" in value else "weights", **_with_empty_paths(value)}

    @model_validator(mode="after")
    def _one_search(self) -> Stage:
        if (self.search_space is None) == (self.paths is None):
            raise key_problem(None, "must have either 'search_space' (weights) or 'paths'")
        return self


def _with_empty_paths(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """`paths:` with nothing after it asks for paths as they come."""
    return {**value, "paths": {}} if "paths" in value and value["paths"] is None else value


class Evaluation(Frozen):
    """How candidates are scored; parents and winner are scored on test once more in each precision of `confirm`.

    `arithmetic` is what products are computed in. On the CPU, float32 gives the same scores on every processor, bfloat16 is
    faster where the processor has instructions for it; auto is float32 on the CPU and bfloat16 on a card, and is frozen into
    the run.

    `coherence`: children that repeat themselves, change language, never end or have forgotten how to speak, more than any
    parent does, rank behind the others. `early_end`: in the search an answer ends as soon as its score is certain; off, since
    what an answer does in the end (stop or not, repeat itself) is what coherence looks at.
    """

    precision: Precision = "nf4"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    arithmetic: Arithmetic | Literal["auto"] = "auto"
    confirm: tuple[Precision, ...] = ()
    coherence: Flag = True
    early_end: Flag = False

    @model_validator(mode="after")
    def _whole_answers(self) -> Evaluation:
        if self.early_end and self.coherence:
            raise key_problem("early_end", "cuts the answers that coherence looks at; remove it, or write coherence: false too")
        return self

    @model_validator(mode="after")
    def _others(self) -> Evaluation:
        if self.precision in self.confirm:
            raise key_problem("confirm", f"holds {self.precision}, in which candidates are scored anyway; remove it")
        if len(set(self.confirm)) < len(self.confirm):
            raise key_problem("confirm", "names a precision twice; keep one")
        return self


class Recipe(Frozen):
    """Everything that a run needs. Relative paths are meant from `folder`, where the recipe's file lies.

    What is evolved: weights (`search_space`), `paths`, or several `stages` one after the other, of which the last may be paths.
    `allow_pickle` admits sources whose weights are pickles (`.bin`); only tensors are read from them.
    """

    evomerge: Literal[1]
    name: Text
    base: Text
    sources: Annotated[tuple[SourceSpec, ...], Field(min_length=1)]
    search_space: SearchSpace = Field(default_factory=lambda: SearchSpace.model_validate({}))
    paths: Paths | None = None
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)] = ()
    tasks: Annotated[tuple[TaskSpec, ...], Field(min_length=1)]
    splits: Splits = Splits()
    budget: Budget
    search: SearchSettings = SearchSettings()
    evaluation: Evaluation = Evaluation()
    seed: Whole = 0
    allow_pickle: Flag = False
    output: Text | None = None

    _folder: Path = PrivateAttr(default=Path())

    @property
    def folder(self) -> Path:
        """Where the recipe's file lies."""
        return self._folder

    def model_post_init(self, context: Any) -> None:
        if isinstance(context, Mapping) and "folder" in context:
            self._folder = Path(context["folder"])

    @model_validator(mode="before")
    @classmethod
    def _empty_paths(cls, value: Any) -> Any:
        return _with_empty_paths(value) if isinstance(value, Mapping) else value

    @model_validator(mode="after")
    def _one_way(self) -> Recipe:
        given = [key for key in ("search_space", "paths", "stages") if key in self.model_fields_set and getattr(self, key)]
        if len(given) > 1:
            raise key_problem(given[1], f"has no effect beside {given[0]}; keep one, or make each a stage under 'stages'")
        return self

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> Any:
        unused = [key for key in ("paths", "stages") if not getattr(self, key)]
        unused += ["search_space"] if self.paths or self.stages else []
        return {key: value for key, value in handler(self).items() if key not in unused}

    @model_validator(mode="after")
    def _unique(self) -> Recipe:
        for what, values in (
            ("sources", [source.model for source in self.sources]),
            ("sources", [source.name for source in self.sources]),
            ("stages", [stage.name for stage in self.stages]),
            ("tasks", [task.name for task in self.tasks]),
        ):
            twice = [value for index, value in enumerate(values) if value in values[:index]]
            if twice:
                raise key_problem(what, f"holds {twice[0]!r} twice; give each its own 'name', or remove one")
        return self
