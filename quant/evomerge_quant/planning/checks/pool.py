"""Preflight of a pool: which of its members will be left out."""

from __future__ import annotations

from pathlib import Path

from evomerge_core.discovery.headers import look_at
from evomerge_core.errors import InputError
from evomerge_core.methods.registry import get_method
from evomerge_core.recipe.schema import Recipe
from evomerge_core.sources.checks.compatibility import check
from evomerge_core.sources.checks.scorable import scoring_problems
from evomerge_core.sources.source import Source
from evomerge_quant.planning.check import PreflightCheck, ok, problem, warning

_FEWEST = 2


def pool_checks(recipe: Recipe, base: Source | None, folder: Path) -> tuple[Recipe, list[PreflightCheck]]:
    """The recipe with those members of its pool that can be merged as far as can be seen without their weights, and a warning
    for each of the others; without a pool the recipe as it is."""
    if not recipe.pool or base is None:
        return recipe, []
    reasons = {member.model: _reason(recipe, member.model, base, folder) for member in recipe.pool}
    checks = [
        warning("Pool", f"{member.name} will be left out: {reason}", "remove it, or leave it")
        for member in recipe.pool
        if (reason := reasons[member.model])
    ]
    members = tuple(member for member in recipe.pool if not reasons[member.model])
    if len(members) < _FEWEST:
        text = f"{len(members)} of {len(recipe.pool)} models can be merged"
        return recipe, [*checks, problem("Pool", text, "name at least two models that were made from the base")]
    text = f"sources will be chosen from {len(members)} models, which takes at most half of the budget"
    return recipe.model_copy(update={"pool": members, "sources": members}), [*checks, ok("Pool", text)]


def _reason(recipe: Recipe, reference: str, base: Source, folder: Path) -> str:
    if reference == recipe.base and get_method(recipe.search_space.method).takes_base:
        return "it is the base, which is merged anyway"
    try:
        looked = look_at([reference], relative_to=folder, allow_pickle=recipe.allow_pickle)
        sources = list(looked.opened.values())
        problems = [*scoring_problems(base, sources), *check(base, sources)]
    except InputError as error:
        problems = [error]
    return problems[0].fault if problems else ""
