"""Features of pictures, kept by the hash of the picture in a folder: each goes through the tower once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from evomerge_core.files.durable import flush_file
from evomerge_core.files.full_disk import needs_room
from evomerge_core.files.picture import Picture
from evomerge_quant.resident.vision.eyes import Eyes, look
from evomerge_quant.resident.vision.seen import Seen

_FEATURES, _PLACES, _DEEP = "features", "places", "deep"
_TEXT, _HASH = "text", "sha256"


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
            told, there = file.metadata(), set(file.keys())
            places, deep = (file.get_tensor(name) if name in there else None for name in (_PLACES, _DEEP))
            seen = Seen(file.get_tensor(_FEATURES), told[_TEXT], places, deep)
            hashed = told[_HASH]
    except (SafetensorError, LookupError, TypeError):
        return None
    return seen if _hash(seen) == hashed else None


def kept_files(folder: Path, hashes: Iterable[str]) -> list[Path]:
    """The files that hold the features of these pictures."""
    return [folder / f"{sha256}.safetensors" for sha256 in hashes]


def _keep(path: Path, seen: Seen) -> None:
    part = path.with_suffix(".part")
    found = {_FEATURES: seen.features, _PLACES: seen.places, _DEEP: seen.deep}
    tensors = {name: tensor.contiguous() for name, tensor in found.items() if tensor is not None}
    with needs_room(path, sum(tensor.nbytes for tensor in tensors.values())):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, part, metadata={_TEXT: seen.text, _HASH: _hash(seen)})
        flush_file(part)
        part.replace(path)


def _hash(seen: Seen) -> str:
    digest = hashlib.sha256()
    for tensor in (seen.features, seen.places, seen.deep):
        if tensor is not None:
            digest.update(tensor.contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()
