"""Which members of a recipe's pool can be merged at all; the others are left out, and why is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.methods.registry import get_method
from evomerge_core.pool.expand import is_adapter_folder
from evomerge_core.recipe.schema import Recipe, SourceSpec
from evomerge_core.sources.checks.compatibility import check
from evomerge_core.sources.checks.finite import check_finite
from evomerge_core.sources.checks.scorable import scoring_problems
from evomerge_core.sources.resolve import locate
from evomerge_core.sources.source import Source, open_sources


@dataclass(frozen=True)
class Unfit:
    """A member that was left out: its fields are those of `view.pool.Told` that are known."""

    name: str
    model: str
    why: str
    taken: bool = False


def fitting(recipe: Recipe, folder: Path) -> tuple[Recipe, tuple[Unfit, ...]]:
    """The recipe with those members of its pool that can be merged into its base, and the others; a recipe without a pool
    stays as it is. Members on the hub are downloaded.

    Raises InputError where the base is wrong, or fewer than two members can be merged.
    """
    if not recipe.pool:
        return recipe, ()
    opened = open_sources([recipe.base], relative_to=folder, allow_pickle=recipe.allow_pickle)
    base = opened[recipe.base]
    members, unfit = [], []
    for member in recipe.pool:
        spec, why = _looked_at(recipe, member, base, folder)
        if why is None:
            members.append(spec)
        else:
            unfit.append(Unfit(spec.name, spec.model, why))
    if len(members) < 2:
        remedy = "name at least two models that were made from the base"
        first = f": {unfit[0].name} {unfit[0].why}" if unfit else ""
        raise InputError(f"{len(members)} of {len(recipe.pool)} models can be merged{first}", where="pool", remedy=remedy)
    return recipe.model_copy(update={"pool": tuple(members), "sources": tuple(members)}), tuple(unfit)


def _looked_at(recipe: Recipe, member: SourceSpec, base: Source, folder: Path) -> tuple[SourceSpec, str | None]:
    """The member, an adapter of the hub with the base before it, and why it can't be merged."""
    takes_base = get_method(recipe.search_space.method).takes_base
    try:
        place = locate(member.model, relative_to=folder, allow_pickle=recipe.allow_pickle)
        if place.adapter is None and is_adapter_folder(place.model):
            member = member.model_copy(update={"model": f"{recipe.base}+{member.model}"})
        if takes_base and member.model == recipe.base:
            return member, "is the base, which is merged anyway"
        source = open_sources([member.model], relative_to=folder, allow_pickle=recipe.allow_pickle)[member.model]
        problems = [*scoring_problems(base, [source]), *check(base, [source]), *check_finite(source)]
    except InputError as error:
        return member, str(error)
    return member, str(problems[0]) if problems else None
