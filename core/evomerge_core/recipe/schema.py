"""A recipe: what the user asks for, as frozen pydantic models. Unknown keys are refused; nothing here imports torch.

Rules that need the methods' parameters are in `consistency`; files are read by `load`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, SerializerFunctionWrapHandler, model_serializer, model_validator

from evomerge_core.files.fields import Count, Flag, Frozen, Positive, Text, Whole, key_problem
from evomerge_core.genome.spec import SearchSpace
from evomerge_core.paths.spec import Paths
from evomerge_core.tasks.spec import Splits, TaskSpec

Precision = Literal["nf4", "bf16", "fp32"]
# What products are computed in.
Arithmetic = Literal["float32", "bfloat16"]


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
            raise key_problem("enabled", "is false, so that the keys beside it have no effect", "remove them, or this")
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
            raise key_problem(
                "early_end", "cuts the answers that coherence looks at", "remove it, or write coherence: false too"
            )
        return self

    @model_validator(mode="after")
    def _others(self) -> Evaluation:
        if self.precision in self.confirm:
            raise key_problem("confirm", f"holds {self.precision}, in which candidates are scored anyway", "remove it")
        if len(set(self.confirm)) < len(self.confirm):
            raise key_problem("confirm", "names a precision twice", "keep one")
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
            raise key_problem(given[1], f"has no effect beside {given[0]}", "keep one, or make each a stage under 'stages'")
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
                raise key_problem(what, f"holds {twice[0]!r} twice", "give each its own 'name', or remove one")
        return self
