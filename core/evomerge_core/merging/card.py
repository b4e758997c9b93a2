"""The model card of a merge: front matter for hubs and converters, and the recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from evomerge_core.sources.source import Source

_FENCE = "---"


def model_card(method: str, sources: Sequence[Source], recipe: str) -> str:
    """README.md: what was merged, under which licences as far as the sources' cards say, and the recipe (YAML)."""
    parts = {part: folder for source in sources for part, folder in _parts(source)}
    cards = {part: front_matter(folder / "README.md") for part, folder in parts.items()}
    licences = {part: card["license"] for part, card in cards.items() if isinstance(card.get("license"), str)}
    head: dict[str, Any] = {"base_model": list(parts), "library_name": "transformers"}
    head["tags"] = ["mergekit", "merge", "evomerge"]
    if len(set(licences.values())) == 1 and len(licences) == len(parts):
        head["license"] = next(iter(licences.values()))
    languages = _languages(cards.values())
    if languages:
        head["language"] = languages
    front = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    listing = "\n".join(f"- {part} (licence: {licences.get(part, 'see its own card')})" for part in parts)
    return (
        f"{_FENCE}\n{front}{_FENCE}\n\n# A merge of {len(parts)} models\n\n"
        f"Merged with evomerge-tui by the method `{method}` from:\n\n{listing}\n\n"
        f"## Recipe\n\nAlso in `mergekit_config.yml`.\n\n```yaml\n{recipe.rstrip()}\n```\n"
    )


def front_matter(card: Path) -> Mapping[str, Any]:
    """The metadata at the head of a model card; empty when there is no card, or none that can be read."""
    try:
        lines = card.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    if not lines or lines[0].strip() != _FENCE or _FENCE not in lines[1:]:
        return {}
    try:
        head = yaml.safe_load("\n".join(lines[1 : lines.index(_FENCE, 1)]))
    except yaml.YAMLError:
        return {}
    return head if isinstance(head, dict) else {}


def _parts(source: Source) -> list[tuple[str, Path]]:
    """The models that make a source, by public name, with their folders."""
    folders = [source.folder] if source.adapter is None else [source.folder, source.adapter.folder]
    return [(_public_name(folder), folder) for folder in folders]


def _public_name(folder: Path) -> str:
    """The hub id of a folder in the hub's cache; else the folder's own name, as a card shouldn't tell where it lay."""
    repository = folder.parent.parent.name
    if folder.parent.name == "snapshots" and repository.startswith("models--"):
        return repository.removeprefix("models--").replace("--", "/", 1)
    return folder.name


def _languages(cards: Iterable[Mapping[str, Any]]) -> list[str]:
    found: set[str] = set()
    for card in cards:
        languages = card.get("language")
        found.update([languages] if isinstance(languages, str) else [str(one) for one in languages or ()])
    return sorted(found)
