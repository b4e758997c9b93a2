"""Preflight of the models: can they be opened, merged and shared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from evomerge_core.discovery.headers import OpenedHeaders, is_here
from evomerge_core.recipe.schema import Recipe
from evomerge_core.recipe.tokenizer_source import chosen_tokenizer
from evomerge_core.sources.checks.bodies import sees_otherwise
from evomerge_core.sources.checks.compatibility import check
from evomerge_core.sources.checks.scorable import scoring_problems
from evomerge_core.sources.source import Source
from evomerge_core.sources.stored.model_card import front_matter, licence_in
from evomerge_core.sources.tokens import shared_tokens, vocabulary, why_without_tokens
from evomerge_quant.planning.check import PreflightCheck, ok, problem, refused, warning

# Words in the names of licences that forbid uses which a person may have in mind.
_NARROW = ("nc", "noncommercial", "non-commercial", "research", "academic")


def model_checks(recipe: Recipe, looked: OpenedHeaders) -> Iterator[PreflightCheck]:
    """Compatibility, tokens and licences of a recipe's models."""
    opened = looked.opened
    if recipe.base not in opened:
        remedy = "download it first, or choose a base with safetensors"
        yield problem("Models", f"{recipe.base}: its weights are pickles", remedy)
        return
    base = opened[recipe.base]
    sources = [opened[source.model] for source in recipe.sources if source.model in opened]
    away = sorted({source.reference for source in opened.values() if not is_here(source)} | set(looked.unseen))
    where = "all on this machine" if not away else f"to be downloaded: {', '.join(away)}"
    yield ok("Models", f"{len(opened) + len(looked.unseen)} found, {where}")
    for reference in looked.unseen:
        yield warning(
            "Compatibility",
            f"{reference}: its weights are pickles, which can't be inspected before they are downloaded",
            "download it, then check again",
        )
    chosen = chosen_tokenizer(recipe)
    giver = None if chosen is None else opened.get(chosen)
    differences = [*scoring_problems(base, sources), *check(base, sources, tokenizer=giver)]
    if differences:
        yield from (refused("Compatibility", difference) for difference in differences)
    else:
        yield ok("Compatibility", "same architecture and tensors; weights are scanned for NaN at the start")
        yield from _eyes(base, sources)
    yield _tokens(giver or base, [base, *sources])
    yield _licences(opened)


def _eyes(base: Source, sources: list[Source]) -> Iterator[PreflightCheck]:
    """A warning where models that see have been trained to do so on their own."""
    others = [source for source in sources if is_here(base) and is_here(source) and sees_otherwise(base, source)]
    if others:
        names = ", ".join(source.label for source in others)
        seen = f"{names}: tower and projector have other weights than the base's, with which every model is scored here"
        yield warning("Eyes", seen, "expect less of such a model than by itself, or choose models that see as the base does")


def _tokens(giver: Source, models: list[Source]) -> PreflightCheck:
    """`giver` is whose tokenizer the child takes."""
    subject = "Tokenizer"
    if vocabulary(giver) is None:
        reason = why_without_tokens(giver)
        return warning(subject, f"{reason.fault}; rows can't be aligned by token", reason.remedy)
    others = [model for model in models if vocabulary(model) not in (None, vocabulary(giver))]
    if not others:
        return ok(subject, "the same tokens in all models")
    least = min(shared_tokens(giver, model) for model in others)
    names = ", ".join(dict.fromkeys(model.label for model in others))
    return ok(subject, f"{names}: {least:.1%} of the tokens are those of {giver.label}; rows are aligned by token")


def _licences(opened: Mapping[str, Source]) -> PreflightCheck:
    """The child is bound by the licences of all its parents."""
    subject = "Licences"
    folders = {source.folder for source in opened.values()}
    folders |= {source.adapter.folder for source in opened.values() if source.adapter is not None}
    found = {folder: licence_in(front_matter(folder / "README.md")) for folder in folders}
    named = sorted({licence for licence in found.values() if licence is not None})
    if None in found.values():
        others = f"; the others say {', '.join(named)}" if named else ""
        return warning(subject, f"not all models' cards name one{others}", "read the models' pages before you share the child")
    if len(named) > 1:
        return warning(subject, f"they disagree: {', '.join(named)}", "the child must keep the terms of all of them")
    narrow = [licence for licence in named if set(licence.lower().replace("_", "-").split("-")) & set(_NARROW)]
    if narrow:
        return warning(subject, f"{narrow[0]} narrows what the child may be used for", "read its terms")
    return ok(subject, f"{named[0]} for all")
