"""Features of pictures, kept by the hash of the picture in a folder: each goes through the tower once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from evomerge_core.files.full_disk import needs_room
from evomerge_core.files.picture import Picture
from evomerge_quant.resident.vision.eyes import Eyes, Seen, look

_FEATURES, _TEXT = "features", "text"


def see_all(pictures: Iterable[Picture], folder: Path, open_eyes: Callable[[], Eyes]) -> Mapping[str, Seen]:
    """What the model makes of each picture, by the picture's sha256.

    `folder` keeps it for the next time and belongs to one tower; `open_eyes` is called once, and only for a picture that
    isn't there. The eyes are let go when all are seen.
    """
    seen: dict[str, Seen] = {}
    eyes: Eyes | None = None
    for picture in pictures:
        if picture.sha256 in seen:
            continue
        kept = _kept(folder / f"{picture.sha256}.safetensors")
        if kept is None:
            eyes = eyes or open_eyes()
            kept = look(eyes, picture)
            _keep(folder / f"{picture.sha256}.safetensors", kept)
        seen[picture.sha256] = kept
    return seen


def _kept(path: Path) -> Seen | None:
    """None for a picture that wasn't seen yet, and for a file that a full disk cut short."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            return Seen(file.get_tensor(_FEATURES), file.metadata()[_TEXT])
    except (SafetensorError, LookupError, TypeError):
        return None


def _keep(path: Path, seen: Seen) -> None:
    part = path.with_suffix(".part")
    with needs_room(path, seen.features.nbytes):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({_FEATURES: seen.features.contiguous()}, part, metadata={_TEXT: seen.text})
        part.replace(path)
