"""The model card of a merge: front matter for hubs and converters, and the recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from evomerge_core.sources.source import Source
from evomerge_core.sources.stored.model_card import FENCE, front_matter
from evomerge_core.visible_text import visible, visible_line


def model_card(method: str, sources: Sequence[Source], recipe: str, recipe_file: str = "mergekit_config.yml") -> str:
    """README.md: what was merged, under which licences as far as the sources' cards say, and the recipe (YAML), a file too."""
    cards = _cards(sources)
    parts = list(cards)
    licences = {part: licence for part, licence in stated_licences(sources).items() if licence is not None}
    head: dict[str, Any] = {"base_model": parts, "library_name": "transformers"}
    head["tags"] = [*(["mergekit"] if recipe_file == "mergekit_config.yml" else []), "merge", "evomerge"]
    if len(set(licences.values())) == 1 and len(licences) == len(parts):
        head["license"] = next(iter(licences.values()))
    languages = _languages(cards.values())
    if languages:
        head["language"] = languages
    front = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    listing = "\n".join(
        f"- {part} (licence: {visible_line(licences.get(part, 'see its own card'), most=100)})" for part in parts
    )
    text = (
        f"{FENCE}\n{front}{FENCE}\n\n# A merge of {len(parts)} models\n\n"
        f"Merged with evomerge-tui by the method `{method}` from:\n\n{listing}\n\n"
        f"## Recipe\n\nAlso in `{recipe_file}`.\n\n```yaml\n{recipe.rstrip()}\n```\n"
    )
    return visible(text, keep="\n\t")


def stated_licences(sources: Sequence[Source]) -> dict[str, str | None]:
    """The licence that the card of each model and adapter states, by public name; None where it states none."""
    return {part: card["license"] if isinstance(card.get("license"), str) else None for part, card in _cards(sources).items()}


def _cards(sources: Sequence[Source]) -> dict[str, Mapping[str, Any]]:
    parts = {part: folder for source in sources for part, folder in _parts(source)}
    return {part: front_matter(folder / "README.md") for part, folder in parts.items()}


def _parts(source: Source) -> list[tuple[str, Path]]:
    """The models that make a source, by public name, with their folders."""
    folders = [source.folder] if source.adapter is None else [source.folder, source.adapter.folder]
    return [(public_name(folder), folder) for folder in folders]


def public_name(folder: Path) -> str:
    """The hub id of a folder in the hub's cache; else the folder's own name, as a card shouldn't reveal a path."""
    repository = folder.parent.parent.name
    if folder.parent.name == "snapshots" and repository.startswith("models--"):
        return repository.removeprefix("models--").replace("--", "/", 1)
    return folder.name


def _languages(cards: Iterable[Mapping[str, Any]]) -> list[str]:
    found: set[str] = set()
    for card in cards:
        languages = card.get("language")
        found.update([languages] if isinstance(languages, str) else [str(language) for language in languages or ()])
    return sorted(found)
