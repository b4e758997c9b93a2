"""Values of a merge file that must be of one kind: text, a list, a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evomerge_core.files.yaml_file import Location, YamlFile

# Of models, of slices, and of a slice's sources.
_MOST_ENTRIES = 1_000


def text_at(file: YamlFile, location: Location) -> str | None:
    """The text at a place, None where the file has nothing there; InputError for anything else."""
    value = file.value(location)
    if value is not None and (not isinstance(value, str) or not value):
        raise file.key_error(location, "must be text (in quotes if it looks like a number)")
    return value


def list_at(file: YamlFile, location: Location) -> list[Any]:
    """The list at a place; InputError for anything else, an empty one, and one too long."""
    value = file.value(location)
    if not isinstance(value, list) or not value:
        raise file.key_error(location, "must be a list with at least one entry")
    if len(value) > _MOST_ENTRIES:
        raise file.key_error(location, f"has {len(value):,} entries, where at most {_MOST_ENTRIES:,} are merged", "give fewer")
    return value


def require_mapping(file: YamlFile, location: Location) -> None:
    """InputError unless a mapping stands at a place."""
    if not isinstance(file.value(location), Mapping):
        raise file.key_error(location, "must be a mapping of keys to values")
