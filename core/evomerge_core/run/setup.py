"""A recipe with its models opened: checked before anything starts, the same each time it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from evomerge_core.errors import InputError
from evomerge_core.genome.space import Space, make_space
from evomerge_core.limited.chat_template import PictureMark
from evomerge_core.merging.engine import MergeEngine
from evomerge_core.merging.model_folder.folder import require_space
from evomerge_core.merging.plan.eyes import require_movable
from evomerge_core.paths.fold import require_fold
from evomerge_core.paths.make_space import make_path_space
from evomerge_core.paths.path import Pool
from evomerge_core.paths.size import most_layers, most_parameters
from evomerge_core.paths.space import PathSpace
from evomerge_core.paths.spec import Paths
from evomerge_core.processor import card_arithmetic
from evomerge_core.recipe.absolute_paths import with_absolute_paths
from evomerge_core.recipe.load import dump_recipe
from evomerge_core.recipe.schema import FEW_BITS, Budget, Recipe, Stage
from evomerge_core.recipe.stages import PlannedStage, plan_stages
from evomerge_core.recipe.tokenizer_source import chosen_tokenizer
from evomerge_core.run.fitting import fitting
from evomerge_core.run.plan import Asked, RunPlan, StagePlan
from evomerge_core.run.precision_choice import (
    ChoosePrecision,
    PrecisionChoice,
    as_shipped,
    search_precision,
    with_precision,
)
from evomerge_core.run.run_folder.folder import create_folder, open_store, require_empty
from evomerge_core.run.store.facts import write_facts
from evomerge_core.run.timing.cost import CHARACTERS, load_items
from evomerge_core.sources.architecture import layer_count
from evomerge_core.sources.checks.compatibility import require_compatible
from evomerge_core.sources.checks.finite import refuse, require_finite
from evomerge_core.sources.checks.scorable import scoring_problems
from evomerge_core.sources.confinement import path_inside
from evomerge_core.sources.pretrained import read_image_processor, read_tokenizer
from evomerge_core.sources.source import Source, open_sources
from evomerge_core.sources.tokens import align_all
from evomerge_core.sources.vocabulary.child_vocabulary import ChildVocabulary, child_vocabulary
from evomerge_core.sources.vocabulary.own_head import with_heads_as
from evomerge_core.sources.vocabulary.picture_mark import picture_mark
from evomerge_core.tasks.draw_items import draw_items
from evomerge_core.tasks.items.items import Item
from evomerge_core.tasks.items.pictures import require_whole
from evomerge_core.tasks.items.split import SPLITS
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.task import Task
from evomerge_core.tasks.taste import taste_items, taste_task

_ANSWER = 0.5  # of max_new_tokens, about


@dataclass(frozen=True)
class StageSetup(StagePlan):
    """One search of a run, with what it searches. `pool` names the models whose layers its paths run through: sources by label,
    and the winners of earlier stages by the stage's name; () where weights are evolved."""

    space: Space | PathSpace
    pool: tuple[str, ...]

    @property
    def averages(self) -> bool:
        return not self.space.integers


@dataclass(frozen=True)
class Setup:
    """A recipe with its models opened. `parents` maps labels to references; every source has `layers` layers; `stages` are
    the plan's. `tokenizer` is the reference of the model whose vocabulary all sources are in, `speaks` what its children speak
    with. `item_hashes` are by task those of the items that the plan's were drawn of (`tasks.item_hashes`). `choice` is what
    `precision: auto` became, None where the recipe names a precision."""

    recipe: Recipe
    plan: RunPlan
    base_folder: Path
    sources: Mapping[str, Source]
    parents: Mapping[str, str]
    layers: int
    stages: tuple[StageSetup, ...]
    engine: MergeEngine
    tokenizer: str
    speaks: ChildVocabulary
    item_hashes: Mapping[str, Mapping[str, str]]
    choice: PrecisionChoice | None = None

    @property
    def fingerprints(self) -> dict[str, dict[str, str]]:
        """The sha256 of every source file, by reference."""
        return {reference: source.fingerprints() for reference, source in self.sources.items()}


def prepare(recipe: Recipe, folder: Path, choose: ChoosePrecision = as_shipped) -> Setup:
    """Opens and checks everything that the recipe names; `folder` is where its relative paths start. `choose` is asked where
    the recipe says `precision: auto`, and its answer is in the setup's recipe.

    Raises `InputError` with the first thing that is wrong. The weights' values are not read: `create_run` does that once.
    """
    references = [recipe.base, *(source.model for source in recipe.sources)]
    opened = open_sources(references, relative_to=folder, allow_pickle=recipe.allow_pickle)
    base = opened[recipe.base]
    others = [opened[source.model] for source in recipe.sources]
    refuse(scoring_problems(base, others))
    chosen = chosen_tokenizer(recipe)
    tokenizer = chosen or recipe.base
    require_compatible(base, others, tokenizer=None if chosen is None else opened[chosen])
    opened = with_heads_as(base, opened)
    sources = align_all(opened[tokenizer], opened)
    speaks = child_vocabulary(sources[tokenizer], sources.values())
    choice = choose(recipe, base) if recipe.evaluation.precision == "auto" else None
    recipe = recipe if choice is None else with_precision(recipe, choice.precision)
    stages = make_stages(recipe, base)
    engine = MergeEngine(sources, seed=recipe.seed, reuses_memory=True)
    tasks, asked, hashes = _tasks(recipe, folder, speaks.folder, picture_mark(base))
    return Setup(
        recipe=recipe,
        plan=_plan(recipe, tasks, asked, stages, _device(recipe).type),
        base_folder=base.folder,
        sources=sources,
        parents={source.name: source.model for source in recipe.sources},
        layers=layer_count(base),
        stages=stages,
        engine=engine,
        tokenizer=tokenizer,
        speaks=speaks,
        item_hashes=hashes,
        choice=choice,
    )


def create_run(
    recipe: Recipe,
    *,
    choose: ChoosePrecision = as_shipped,
    out: Path | None = None,
    evaluations: int | None = None,
    minutes: float | None = None,
    seed: int | None = None,
) -> Path:
    """Checks the recipe down to the last weight, and makes the run's folder with the recipe frozen in it.

    What is given replaces the recipe's own; `choose` decides what `precision: auto` is. Raises `InputError`; then there is no
    folder.
    """
    recipe = _with_arithmetic(_overridden(recipe, evaluations, minutes, seed))
    folder = out or run_folder(recipe)
    require_empty(folder)
    frozen, unfit = fitting(with_absolute_paths(recipe), folder)
    setup = prepare(frozen, folder, choose)
    if setup.plan.pictures():
        read_image_processor(setup.base_folder)
    for source in setup.sources.values():
        require_finite(source)
    require_space(folder, _most_bytes(setup))
    text = dump_recipe(setup.recipe)
    create_folder(folder, text, setup.fingerprints, frozen_recipe=text, item_hashes=setup.item_hashes)
    if setup.choice is not None:
        _record(folder, setup.choice)
    if unfit:
        store = open_store(folder)
        write_facts(store, pool_unfit=[asdict(one) for one in unfit])
        store.close()
    return folder


def run_folder(recipe: Recipe) -> Path:
    """Where a run is made by default: the recipe's `output`, or `runs/NAME`, beside its file.

    Raises `InputError` where that leads out of the recipe's folder: the recipe may be somebody else's.
    """
    return path_inside(recipe.output or f"runs/{recipe.name}", recipe.folder, remedy="name the run's folder with --out")


def _overridden(recipe: Recipe, evaluations: int | None, minutes: float | None, seed: int | None) -> Recipe:
    for name, value in (("evaluations", evaluations), ("minutes", minutes)):
        if value is not None and value <= 0:
            raise InputError("must be above 0", where=f"--{name} {value:g}")
    if seed is not None and seed < 0:
        raise InputError("must be 0 or more", where=f"--seed {seed}")
    share = None if minutes is None else minutes / max(1, len(recipe.stages))
    limits = {name: value for name, value in (("evaluations", evaluations), ("minutes", share)) if value is not None}
    stages = tuple(_limited(stage, recipe.budget, limits) for stage in recipe.stages)
    budget = recipe.budget.model_copy(update=limits)
    changes = {"budget": budget, "stages": stages, "seed": recipe.seed if seed is None else seed}
    return recipe.model_copy(update=changes)


def _record(folder: Path, choice: PrecisionChoice) -> None:
    store = open_store(folder)
    write_facts(store, precision_choice=choice.sentence)
    store.add_event("precision", text=choice.sentence)
    store.close()


def _with_arithmetic(recipe: Recipe) -> Recipe:
    """The recipe with the arithmetic that its device has, in place of auto: a run keeps it wherever it is resumed."""
    evaluation = recipe.evaluation
    if evaluation.arithmetic != "auto":
        return recipe
    found = card_arithmetic() if _device(recipe).type == "cuda" else "float32"
    return recipe.model_copy(update={"evaluation": evaluation.model_copy(update={"arithmetic": found})})


def _limited(stage: Stage, usual: Budget, limits: Mapping[str, float]) -> Stage:
    """What is given on the command line is for every stage; minutes are shared by all."""
    return stage.model_copy(update={"budget": (stage.budget or usual).model_copy(update=limits)})


def make_stages(recipe: Recipe, base: Source) -> tuple[StageSetup, ...]:
    """The recipe's searches for models like `base`. Raises InputError when one doesn't fit the model."""
    planned = plan_stages(recipe)
    return tuple(_stage(recipe, base, index, stage) for index, stage in enumerate(planned))


def _stage(recipe: Recipe, base: Source, index: int, planned: PlannedStage) -> StageSetup:
    layers = layer_count(base)
    space: Space | PathSpace
    if isinstance(planned.searched, Paths):
        if base.checkpoint.body is not None:
            require_movable(base)
        if planned.searched.scales != "none":
            require_fold(base)
        space = make_path_space(planned.searched, Pool(planned.pool, layers), most_layers(planned.searched, base))
    else:
        sources = {source.name: source.model for source in recipe.sources}
        space = make_space(planned.searched, recipe.base, sources, layers, base.names, recipe.seed, chosen_tokenizer(recipe))
    return StageSetup(index, planned.name, planned.budget, planned.search, space, planned.pool)


def _most_bytes(setup: Setup) -> int:
    """What the largest child takes in bf16."""
    base, longest = setup.sources[setup.recipe.base], setup.layers
    last = setup.stages[-1].space
    if isinstance(last, PathSpace):
        longest = max(longest, last.most_layers)
    return most_parameters(base, longest) * torch.bfloat16.itemsize


def _device(recipe: Recipe) -> torch.device:
    """Where candidates are scored."""
    wanted = recipe.evaluation.device
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def _plan(
    recipe: Recipe, tasks: tuple[Task, ...], asked: Mapping[str, tuple[Asked, ...]], stages: tuple[StagePlan, ...], device: str
) -> RunPlan:
    precision = search_precision(recipe.evaluation)
    return RunPlan(
        seed=recipe.seed,
        precisions=(precision, *recipe.evaluation.confirm),
        stages=stages,
        tasks=tasks,
        asked=asked,
        search_items=recipe.splits.search,
        load_items=_load_items(asked["search"], device, len(recipe.sources)),
        coherence=recipe.evaluation.coherence,
        # what nobody has voted on yet is worth the same in every precision
        compared=recipe.evaluation.agreement and precision in FEW_BITS and recipe.taste is None,
        votes=0 if recipe.taste is None else recipe.taste.votes,
    )


def _load_items(asked: tuple[Asked, ...], device: str, sources: int) -> float:
    """By rule of thumb: measured seconds would make a search depend on how busy the machine is."""
    questions = [item.question for item in asked]
    read = sum(len(q.prompt) + len(q.gold) for q in questions) / len(questions) / CHARACTERS
    written = sum(0 if q.choices else q.max_new_tokens for q in questions) / len(questions) * _ANSWER
    return load_items(device=device, sources=sources, read=read, written=written)


def _tasks(
    recipe: Recipe, folder: Path, speaks: Path, mark: PictureMark | None
) -> tuple[tuple[Task, ...], dict[str, tuple[Asked, ...]], dict[str, Mapping[str, str]]]:
    """The tasks, what is asked of each split, and the hashes of the items that those were drawn of."""
    tokenizer = read_tokenizer(speaks)
    tasks: list[Task] = []
    hashes: dict[str, Mapping[str, str]] = {}
    asked: dict[str, tuple[Asked, ...]] = dict.fromkeys(SPLITS, ())
    for spec in recipe.tasks:
        task = make_task(spec)
        items = draw_items(spec, task, recipe.splits, folder=folder, exclude=spec.exclude)
        tasks.append(task)
        hashes[task.name] = items.hashes
        for split in SPLITS:
            early = recipe.evaluation.early_end and split == "search"
            asked[split] += tuple(_asked(task, item, tokenizer, mark, early) for item in getattr(items, split))
    if recipe.taste is not None:
        task = taste_task(weight=recipe.taste.weight, max_new_tokens=recipe.taste.max_new_tokens)
        tasks.append(task)
        prompts = taste_items(recipe.taste.prompts)
        asked["search"] += tuple(_asked(task, item, tokenizer, mark, early=False) for item in prompts)
    return tuple(tasks), asked, hashes


def _asked(task: Task, item: Item, tokenizer: Any, mark: PictureMark | None, early: bool) -> Asked:
    question = task.question(item, tokenizer, mark)
    require_whole(item.pictures)
    return Asked(task, item, replace(question, decision=task.decision(item)) if early else question)
