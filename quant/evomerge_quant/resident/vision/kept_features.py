"""Features of pictures, kept by the hash of the picture in a folder: each goes through the tower once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from evomerge_core.files.durable import flush_file
from evomerge_core.files.full_disk import needs_room
from evomerge_core.files.picture import Picture
from evomerge_quant.resident.vision.eyes import Eyes, Seen, look

_FEATURES, _TEXT, _HASH = "features", "text", "sha256"


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
        kept = read_kept(folder, picture.sha256)
        if kept is None:
            eyes = eyes or open_eyes()
            made = look(eyes, picture)
            _keep(folder / f"{picture.sha256}.safetensors", made)
            # from its file: what isn't needed just now is on the disk, and not in memory
            kept = read_kept(folder, picture.sha256) or made
        seen[picture.sha256] = kept
    return seen


def read_kept(folder: Path, sha256: str) -> Seen | None:
    """What the model makes of a picture, its features being read from the file as they are used; None for one that wasn't seen
    yet, and for a file that a full disk cut short or something has changed."""
    path = folder / f"{sha256}.safetensors"
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            seen, hashed = Seen(file.get_tensor(_FEATURES), file.metadata()[_TEXT]), file.metadata()[_HASH]
    except (SafetensorError, LookupError, TypeError):
        return None
    return seen if _hash(seen.features) == hashed else None


def kept_files(folder: Path, hashes: Iterable[str]) -> list[Path]:
    """The files that hold the features of these pictures."""
    return [folder / f"{sha256}.safetensors" for sha256 in hashes]


def _keep(path: Path, seen: Seen) -> None:
    part = path.with_suffix(".part")
    with needs_room(path, seen.features.nbytes):
        path.parent.mkdir(parents=True, exist_ok=True)
        features = seen.features.contiguous()
        save_file({_FEATURES: features}, part, metadata={_TEXT: seen.text, _HASH: _hash(features)})
        flush_file(part)
        part.replace(path)


def _hash(features: Tensor) -> str:
    return hashlib.sha256(features.view(torch.uint8).numpy().data).hexdigest()
