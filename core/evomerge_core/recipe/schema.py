"""A recipe: what the user asks for, as frozen pydantic models. Unknown keys are refused; nothing here imports torch.

Rules that need the methods' parameters are in `consistency`; files are read by `load`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from evomerge_core.files.fields import Count, Flag, Frozen, Positive, Text, Whole, key_problem
from evomerge_core.genome.spec import SearchSpace
from evomerge_core.paths.spec import Paths
from evomerge_core.recipe.taste import Taste
from evomerge_core.tasks.spec import Splits, TaskSpec
from evomerge_core.tasks.taste import TASTE

Precision = Literal["nf4", "int5", "int8", "bf16", "fp32"]
PrecisionSetting = Precision | Literal["auto"]
# What a winner's files are written in.
SHIPPED: Precision = "bf16"
# Whether these rank merges as what ships does depends on the models.
FEW_BITS: frozenset[Precision] = frozenset({"nf4", "int5", "int8"})
# What products are computed in.
Arithmetic = Literal["float32", "bfloat16", "float16"]
ArithmeticSetting = Arithmetic | Literal["auto"]
_CLUSTER = re.compile(r"ray://([\w.-]+|\[[\da-fA-F:.]+\]):\d{1,5}")
# So many, as many as there are cards, or those of the cluster at this address.
Workers = Count | Text


class SourceSpec(Frozen):
    """A model that is merged."""

    model: Text
    """A model's folder, a hub id (`owner/name` or `owner/name@revision`), or either with `+ADAPTER`, a LoRA adapter's
    folder or hub id. A source written as plain text is this."""
    name: Text
    """How screens and reports call it. Without it: the last part of the reference."""

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
    """When the search ends: at the limit that is reached first. At least one is needed."""

    evaluations: Count | None = None
    """How many candidates are scored at most."""
    minutes: Positive | None = None
    """How many minutes the search takes at most."""

    @model_validator(mode="after")
    def _some(self) -> Budget:
        if self.evaluations is None and self.minutes is None:
            raise key_problem(None, "needs 'evaluations' or 'minutes', or both")
        return self


class Racing(Frozen):
    """How the candidates of a generation race: on the same few items, other ones in each generation, in rungs that double.

    Instead of a mapping, a word: `on` or `off`.
    """

    enabled: Flag = True
    """Whether candidates race. Off: every candidate is scored on all of the search's items."""
    items: Count | None = None
    """How many items of each task the last rung has. Without it: about a fifth of the search's."""
    first: Count | None = None
    """How many items of each task the first rung has. Without it: what pays, given how long merging takes."""
    error: Annotated[float, Field(strict=True, gt=0, lt=1)] = 0.1
    """The chance that a candidate as good as the better half is dropped on the way."""

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
    """How the search is carried out."""

    algorithm: Literal["cma-es", "niches", "cells"] = "cma-es"
    """`cma-es` looks for one best merge. The others breed an archive of merges that complement each other, all scored on the
    same items: `niches` (M2N2) keeps those that solve what few others do, `cells` (CycleQD) the best of each combination of
    scores of at least two tasks. They breed linear merges within the weight's range, in which each layer is a group unless
    `groups` is given."""
    archive: Annotated[int, Field(strict=True, ge=2)] | None = None
    """How many members the archive of `niches` has, or into how many ranges `cells` divides each task's scores. Without it:
    15."""
    population: Annotated[int, Field(strict=True, ge=2)] | None = None
    """How many candidates a generation has. Without it: 4 + floor(3 ln n) for n numbers; 128 for the paper's paths; 4 where an
    archive is bred."""
    sigma: Annotated[float, Field(strict=True, gt=0, le=1)] = 1 / 6
    """The first search step, as a share of each parameter's range."""
    tie_break: Literal["log_likelihood", "none"] = "log_likelihood"
    """What orders equal scores, and steadies the scores of a race's few items: the loss on the correct answers, or nothing."""
    racing: Racing | None = None
    """Whether the candidates of a generation race. Without it: yes, where the search has at least 16 items and validation
    has some."""
    workers: Workers | None = None
    """How many candidates are scored at a time, each by a worker on a card of its own or a share of the processor's cores:
    a number, `auto` (one to a card), or `ray://HOST:PORT` (one to a card of a Ray cluster). Needs the extra `ray`. Scores don't
    depend on it. Without it: one at a time, by the run's own process."""

    @field_validator("workers", mode="before")
    @classmethod
    def _known_workers(cls, value: Any) -> Any:
        return None if value is None else require_workers(value)

    @model_validator(mode="before")
    @classmethod
    def _default_sigma(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and value.get("sigma", 0) is None:
            return {key: one for key, one in value.items() if key != "sigma"}
        return value

    @property
    def breeds(self) -> bool:
        """Whether it breeds an archive of merges."""
        return self.algorithm != "cma-es"

    @model_validator(mode="after")
    def _in_effect(self) -> SearchSettings:
        if not self.breeds and self.archive is not None:
            raise key_problem("archive", "has no effect: cma-es keeps none", "remove it, or write algorithm: niches")
        if self.breeds and "sigma" in self.model_fields_set:
            raise key_problem("sigma", f"has no effect: {self.algorithm} takes no steps", "remove it")
        if self.breeds and self.racing is not None and self.racing.enabled:
            text = f"has no effect: {self.algorithm} asks every candidate the same items"
            raise key_problem("racing", text, "remove it")
        return self

    @model_serializer(mode="wrap")
    def _without_sigma(self, handler: SerializerFunctionWrapHandler) -> Any:
        return {key: value for key, value in handler(self).items() if not (self.breeds and key == "sigma")}


def require_workers(value: object) -> Workers:
    """Workers as a recipe may ask for them. Raises what pydantic reports."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, str) and (value == "auto" or _CLUSTER.fullmatch(value)):
        return value
    raise key_problem(None, f"must be a number above 0, auto or ray://HOST:PORT, not {value!r}")


class Stage(Frozen):
    """One of several searches: of weights (`search_space`) or of `paths`."""

    name: Text
    """What the stage's winner is called in the `sources` of later paths. Without it: weights or paths."""
    search_space: SearchSpace | None = None
    """Evolves weights."""
    paths: Paths | None = None
    """Evolves paths through the layers."""
    budget: Budget | None = None
    """The stage's own budget, instead of the recipe's."""
    search: SearchSettings | None = None
    """The stage's own search settings, instead of the recipe's."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {"name": "paths" if "paths" in value else "weights", **_with_empty_paths(value)}

    @model_validator(mode="after")
    def _runs_workers(self) -> Stage:
        if self.search is not None and self.search.workers is not None:
            raise key_problem("search", "has workers, which are the whole run's", "write them under the recipe's own 'search'")
        return self

    @model_validator(mode="after")
    def _one_search(self) -> Stage:
        if (self.search_space is None) == (self.paths is None):
            raise key_problem(None, "must have either 'search_space' (weights) or 'paths'")
        return self


def _with_empty_paths(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """`paths:` with nothing after it asks for paths as they come."""
    return {**value, "paths": {}} if "paths" in value and value["paths"] is None else value


def _with_layers(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where an archive is bred, each layer has its own numbers: a member costs no more for it, and children can be split at
    any layer."""
    stages, search = value.get("stages"), value.get("search")
    if isinstance(stages, list):
        return {**value, "stages": [_layered(stage, search) if isinstance(stage, Mapping) else stage for stage in stages]}
    if "paths" in value or not _breeds(search):
        return value
    return _layered({"search_space": {}, **value}, search)


def _layered(searched: Mapping[str, Any], search: object) -> Mapping[str, Any]:
    space = searched.get("search_space")
    if not _breeds(searched.get("search", search)) or not isinstance(space, Mapping) or "groups" in space:
        return searched
    return {**searched, "search_space": {**space, "groups": "layers"}}


def _breeds(search: object) -> bool:
    return isinstance(search, Mapping) and search.get("algorithm") in ("niches", "cells")


class EvaluationSettings(Frozen):
    """How candidates are scored."""

    precision: PrecisionSetting = "auto"
    """What candidates are scored in: 4, 5 or 8 bits, or the model's own 16 or 32. `auto`: bf16, which is what ships, where it
    fits into the memory; else the most bits that do. The choice is frozen into the run."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where candidates are scored. `auto`: on the graphics card where there is one."""
    arithmetic: ArithmeticSetting = "auto"
    """What products are computed in. On the CPU, float32 gives the same scores on every processor, and bfloat16 is faster
    where the processor has instructions for it. `auto`: float32 on the CPU, bfloat16 on a card, or float16 where the card has
    no instructions for bfloat16 (compute capability below 8.0); the choice is frozen into the run."""
    confirm: tuple[Precision, ...] = ()
    """Other precisions in which the finalists, the winner and its references are scored too. The one that `auto` chooses is
    left out."""
    agreement: Flag = True
    """Whether a search in few bits first scores a few merges in bf16 too, and ends there if its own scores plainly don't
    rank them alike."""
    coherence: Flag = True
    """Whether children that repeat themselves, change language, never end or have forgotten how to speak, more than any
    parent does, rank behind the others."""
    early_end: Flag = False
    """Whether an answer in the search ends as soon as its score is certain. Needs `coherence: false`, since
    coherence is judged by whole answers."""

    @model_validator(mode="after")
    def _whole_answers(self) -> EvaluationSettings:
        if self.early_end and self.coherence:
            raise key_problem(
                "early_end", "cuts the answers that coherence looks at", "remove it, or write coherence: false too"
            )
        return self

    @model_validator(mode="after")
    def _others(self) -> EvaluationSettings:
        if self.precision in self.confirm:
            raise key_problem("confirm", f"holds {self.precision}, in which candidates are scored anyway", "remove it")
        if len(set(self.confirm)) < len(self.confirm):
            raise key_problem("confirm", "names a precision twice", "keep one")
        return self

    @model_validator(mode="after")
    def _compared(self) -> EvaluationSettings:
        if not self.agreement and self.precision not in ("auto", *FEW_BITS):
            text = f"has no effect: nothing has to be compared when candidates are scored in {self.precision}"
            raise key_problem("agreement", text, "remove it")
        return self


class About(Frozen):
    """What a person should know before choosing a recipe. Nothing in a run depends on it."""

    title: Text
    """What is merged, in a few words."""
    summary: Text
    """What the recipe is for, in a sentence."""
    memory: Whole = 0
    """The graphics card's memory in GB that the recipe is made for; 0 for none."""
    notes: tuple[Text, ...] = ()
    """Memory, disk, time, licences, and what else there is to know."""


# Each is open for the whole run, and has a number in every candidate's genome.
MOST_SOURCES = 100


class Recipe(Frozen):
    """What a run needs. Relative paths start from the folder of the recipe's file.

    What is evolved: weights (`search_space`), `paths`, or several `stages` one after the other, of which the last may be paths.
    """

    evomerge: Literal[1]
    """The version of the recipe's format."""
    name: Text
    """What the run is called."""
    about: About | None = None
    """What a person should know about the recipe."""
    base: Text
    """The model that all sources are measured against; it gives the child its architecture, and its tokenizer where
    `tokenizer_source` names no other. Written like a source."""
    sources: Annotated[tuple[SourceSpec, ...], Field(min_length=1, max_length=MOST_SOURCES)]
    """The models that are merged. Needed unless there is a `pool`."""
    pool: Annotated[tuple[SourceSpec, ...], Field(max_length=MOST_SOURCES)] = ()
    """Instead of `sources`: many models and adapters, of which the run first chooses its sources. Folders, folders that hold
    some, patterns such as `./adapters/*`, hub ids, or `model+adapter`; an adapter's folder means the base with it. Each is
    scored alone and in merges of equal weights, on the search's items only; the answers count as evaluations of the budget, at
    most as half of it."""
    tokenizer_source: Text | None = None
    """Whose tokenizer, chat template and tokens at the end of a turn the child takes: `base`, or a source by its name. Rows of
    the other models are matched by the tokens' text. Needed where models end turns with different tokens; without it the
    base's."""
    search_space: SearchSpace = Field(default_factory=lambda: SearchSpace.model_validate({}))
    """Evolves weights; this is what a recipe does that says nothing else."""
    paths: Paths | None = None
    """Evolves paths through the layers instead."""
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)] = ()
    """Several searches, one after the other, instead."""
    tasks: tuple[TaskSpec, ...]
    """What the child must be good at. Needed unless there is `taste`."""
    taste: Taste | None = None
    """Votes between answers to your own prompts, instead of tasks or beside them."""
    splits: Splits = Splits()
    """How many items each part of a run gets."""
    budget: Budget
    """When the search ends."""
    search: SearchSettings = SearchSettings()
    """How the search is carried out."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """How candidates are scored."""
    seed: Whole = 0
    """Another number gives another run."""
    allow_pickle: Flag = False
    """Whether sources may have pickles (`.bin`) for weights; only tensors are read from them."""
    output: Text | None = None
    """The run's folder, in the recipe's folder; `--out` names any other. Without it: `runs/NAME`."""

    _folder: Path = PrivateAttr(default=Path())

    @property
    def folder(self) -> Path:
        """The folder of the recipe's file."""
        return self._folder

    def model_post_init(self, context: Any) -> None:
        if isinstance(context, Mapping) and "folder" in context:
            self._folder = Path(context["folder"])

    @model_validator(mode="before")
    @classmethod
    def _empty_paths(cls, value: Any) -> Any:
        return _with_layers(_with_empty_paths(value)) if isinstance(value, Mapping) else value

    @model_validator(mode="before")
    @classmethod
    def _pool_for_sources(cls, value: Any) -> Any:
        """Until sources are chosen, all of the pool are."""
        if not isinstance(value, Mapping) or not isinstance(value.get("pool"), list) or not value["pool"]:
            return value
        if "sources" in value:
            raise key_problem("pool", "can't be combined with sources", "keep one: a pool is what sources are chosen from")
        # an entry that is wrong is told of where it stands
        able = all(isinstance(entry, str | Mapping) for entry in value["pool"])
        return {**value, "sources": value["pool"] if able else ["pool"]}

    @model_validator(mode="before")
    @classmethod
    def _taste_for_tasks(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and value.get("taste") is not None and "tasks" not in value:
            return {**value, "tasks": []}
        return value

    @model_validator(mode="after")
    def _something_counts(self) -> Recipe:
        if not self.tasks and self.taste is None:
            raise key_problem("tasks", "must not be empty")
        if self.taste is not None and TASTE in [task.name for task in self.tasks]:
            raise key_problem("tasks", f"has one called {TASTE!r}, as the votes are", "give it another name")
        return self

    @model_validator(mode="after")
    def _one_way(self) -> Recipe:
        given = [key for key in ("search_space", "paths", "stages") if key in self.model_fields_set and getattr(self, key)]
        if len(given) > 1:
            raise key_problem(given[1], f"can't be combined with {given[0]}", "keep one, or make each a stage under 'stages'")
        return self

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> Any:
        unused = [key for key in ("paths", "stages") if not getattr(self, key)]
        unused += ["search_space"] if self.paths or self.stages else []
        unused.append("sources" if self.pool else "pool")
        unused += ["taste"] if self.taste is None else [] if self.tasks else ["tasks", "splits"]
        return {key: value for key, value in handler(self).items() if key not in unused}

    @model_validator(mode="after")
    def _unique(self) -> Recipe:
        for what, values in (
            # of a pool nobody has chosen yet, and a pattern has no name of its own
            ("sources", [source.model for source in self.sources if not self.pool]),
            ("sources", [source.name for source in self.sources if not self.pool]),
            ("stages", [stage.name for stage in self.stages]),
            ("tasks", [task.name for task in self.tasks]),
        ):
            twice = [value for index, value in enumerate(values) if value in values[:index]]
            if twice:
                raise key_problem(what, f"holds {twice[0]!r} twice", "give each its own 'name', or remove one")
        return self
