"""The preflight checklist: everything that can be checked before a run's weights are read or downloaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evomerge_core.discovery.headers import OpenedHeaders, look_at
from evomerge_core.errors import InputError
from evomerge_core.recipe.absolute_paths import with_absolute_paths
from evomerge_core.recipe.schema import Recipe
from evomerge_core.recipe.tokenizer_source import chosen_tokenizer
from evomerge_core.run.setup import run_folder
from evomerge_core.sources.source import Source
from evomerge_quant.planning.check import PreflightCheck, problem, refused
from evomerge_quant.planning.checks.budget import budget_checks
from evomerge_quant.planning.checks.judge import judge_checks
from evomerge_quant.planning.checks.models import model_checks
from evomerge_quant.planning.checks.pool import pool_checks
from evomerge_quant.planning.checks.room import folder_check, room_checks
from evomerge_quant.planning.checks.tasks import task_report
from evomerge_quant.planning.checks.unused_card import unused_card_checks
from evomerge_quant.planning.checks.workers import by_workers, worker_checks
from evomerge_quant.planning.estimate import RunEstimate, estimate
from evomerge_quant.planning.machine.capacity import Capacity, measure_capacity
from evomerge_quant.planning.machine.shares import share_of
from evomerge_quant.planning.machine.timings import Timing
from evomerge_quant.planning.pictures import with_pictures
from evomerge_quant.planning.plan import plan_of
from evomerge_quant.planning.precision import precision_check


@dataclass(frozen=True)
class Preflight:
    """All checks, in the order in which a person fixes them; `estimate` is None where the models can't be opened."""

    checks: tuple[PreflightCheck, ...]
    estimate: RunEstimate | None

    @property
    def ready(self) -> bool:
        """Whether nothing stands in the way of a start."""
        return all(check.state != "problem" for check in self.checks)


def preflight(
    recipe: Recipe, *, capacity: Capacity | None = None, timings: Sequence[Timing] = (), out: Path | None = None
) -> Preflight:
    """Checks a recipe on this machine. Of hub models that aren't here only headers and small files are fetched."""
    try:
        out = out or run_folder(recipe)
        recipe = with_absolute_paths(recipe)
    except InputError as error:
        return Preflight((refused("Paths", error),), None)
    base = _look(recipe, out, [recipe.base])[0].opened.get(recipe.base)
    recipe, of_pool = pool_checks(recipe, base, out)
    looked, checks = _look(recipe, out, [recipe.base, *(source.model for source in recipe.sources)])
    if any(check.state == "problem" for check in of_pool):
        return Preflight((*checks, *of_pool), None)
    if not checks:
        checks += model_checks(recipe, looked)
    checks += of_pool
    tasks = task_report(recipe, out, base, looked.opened.get(chosen_tokenizer(recipe) or recipe.base))
    checks += tasks.checks
    checks.append(folder_check(out))
    if base is None or any(check.state == "problem" and check.subject == "Models" for check in checks):
        return Preflight(tuple(checks), None)
    capacity = capacity or measure_capacity(recipe.evaluation.device)
    if recipe.evaluation.device == "cuda" and capacity.device != "cuda":
        checks.append(problem("VRAM", "evaluation.device is cuda, but there is no CUDA device", "use auto or cpu"))
    checks += worker_checks(recipe, capacity)
    capacity = share_of(capacity, recipe)
    try:
        found = estimate(recipe, plan_of(recipe, looked), capacity, timings, tasks.prompt_tokens, tasks.lengths)
        found = with_pictures(found, recipe, base, capacity, tasks.features)
    except InputError as error:
        checks.append(refused("Search", error))
        return Preflight(tuple(checks), None)
    found = by_workers(found, recipe, capacity)
    checks += unused_card_checks(recipe, capacity)
    checks.append(precision_check(found.precision))
    checks += budget_checks(recipe, found)
    checks += judge_checks(recipe, capacity, found.ram)
    return Preflight((*checks, *room_checks(found, capacity, out)), found)


def _look(recipe: Recipe, folder: Path, references: Iterable[str]) -> tuple[OpenedHeaders, list[PreflightCheck]]:
    """These models of the recipe, and a problem for each that can't be opened."""
    opened: dict[str, Source] = {}
    unseen: dict[str, int] = {}
    checks = []
    for reference in dict.fromkeys(references):
        try:
            looked = look_at([reference], relative_to=folder, allow_pickle=recipe.allow_pickle)
        except InputError as error:
            checks.append(refused("Models", error))
            continue
        opened |= looked.opened
        unseen |= looked.unseen
    return OpenedHeaders(opened, unseen), checks
