"""The metadata at the head of a model card (README.md)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from evomerge_core.files.yaml_file import UNREADABLE

FENCE = "---"
# Of a card; its head is the first page of it.
_MOST_BYTES = 100_000


def front_matter(card: Path) -> Mapping[str, Any]:
    """The metadata at the head of a model card; empty when there is no card, or none that can be read."""
    try:
        # a pipe would be waited for
        if not card.is_file():
            return {}
        with card.open("rb") as file:
            lines = file.read(_MOST_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return {}
    if not lines or lines[0].strip() != FENCE or FENCE not in lines[1:]:
        return {}
    try:
        head = yaml.safe_load("\n".join(lines[1 : lines.index(FENCE, 1)]))
    except UNREADABLE:
        return {}
    return head if isinstance(head, dict) else {}


def licence_in(head: Mapping[str, Any]) -> str | None:
    """The licence that a card's metadata names; its own name where it is none of the known ones."""
    if not isinstance(head.get("license"), str):
        return None
    return str(head.get("license_name") or head["license"])


def base_models(head: Mapping[str, Any]) -> tuple[str, ...]:
    """The hub ids that a card's metadata names as what the model was made from."""
    named = head.get("base_model")
    return tuple(str(model) for model in (named if isinstance(named, list) else [named]) if model)
