"""To which sizes an image processor brings pictures: a model's folder can ask for ones that fill any memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.files.json_file import read_json

# Pixels of a side; well-known models ask for 1,500. Qwen's processors, which alone merge patches, count those of the whole.
_MOST, _MOST_IN_ALL = 2**13, 2**26
_SIZES = ("size", "crop_size", "max_image_size", "image_grid_pinpoints", "min_pixels", "max_pixels")


def require_usual_sizes(path: Path) -> None:
    """InputError where an image processor's settings, a JSON file, ask for pictures that nobody means."""
    told = read_json(path)
    settings = told.get("image_processor", told)
    if not isinstance(settings, Mapping):
        return
    most = _MOST_IN_ALL if "merge_size" in settings else _MOST
    for key in _SIZES:
        if any(abs(number) > most for number in _numbers(settings.get(key))):
            raise InputError(f"asks for pictures of more than {most:,} pixels", where=f"{path}: {key}", remedy="correct it")


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, Mapping | list):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _numbers(one)
    elif isinstance(value, int | float):
        yield value
