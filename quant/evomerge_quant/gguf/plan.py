"""What an export will write: sizes, expected loss and disk space, known before anything is written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.merging.model_folder.folder import require_space
from evomerge_core.sources.source import Source
from evomerge_core.sources.stored.fingerprint import sha256_of
from evomerge_quant.gguf.convert.convert import no_converter
from evomerge_quant.gguf.quantize.file_types import FileType, find_types
from evomerge_quant.gguf.quantize.mixture import float_bytes, predict
from evomerge_quant.gguf.subject.subject import Subject, shapes_of, vocabulary_bytes
from evomerge_quant.llama.mmproj_file import require_mmproj

EYES_TYPE = "F16"
# Model types with towers that llama.cpp can run and its converter can't write.
UNCONVERTED = frozenset({"llava", "llava_next", "llava_onevision", "vipllava"})
# Types whose sizes a run's result states.
_USUAL = ("Q4_K_M", "Q8_0", "F16")


@dataclass(frozen=True)
class PlannedFile:
    """One file: its predicted bytes, its bits per weight with everything that is in it, and what it loses, if published.

    `loss` is a change of perplexity.
    """

    type: FileType
    path: Path
    bytes: int
    bits_per_weight: float
    loss: float | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class PlannedEyes:
    """The `mmproj` file of a vision-language model, and its predicted bytes.

    `given` is the user's own, which is copied; without it the file is converted. `ready` is one that is there already.
    """

    path: Path
    bytes: int
    given: Path | None
    ready: bool


@dataclass(frozen=True)
class ExportPlan:
    """A whole export. `needed` and `free` are bytes on the destination's disk; `needed` includes temporary files."""

    subject: Subject
    files: tuple[PlannedFile, ...]
    imatrix: bool
    destination: Path
    needed: int
    free: int
    warnings: tuple[str, ...]
    eyes: PlannedEyes | None = None


def make_plan(
    subject: Subject,
    types: Sequence[FileType],
    out: Path | None,
    *,
    imatrix: bool,
    only_look: bool = False,
    mmproj: Path | None = None,
) -> ExportPlan:
    """Plans files of these types into `out`, a folder or (for one type) a file `.gguf`; None: the subject's own place.

    `mmproj` is the user's own file for a vision-language model. InputError when a file already exists, or the disk is too full;
    not with `only_look`.
    """
    if imatrix and subject.eyes is not None:
        raise InputError("isn't measured for a model that sees yet", where="--imatrix", remedy="leave the option out")
    paths = _paths(subject, types, out)
    files = tuple(_planned(subject, wanted, path, imatrix) for wanted, path in zip(types, paths, strict=True))
    for file in files:
        if file.path.exists() and not only_look:
            raise InputError(f"{file.path}: already exists; remove it, or give another place with --out")
    destination = paths[0].parent
    eyes = _planned_eyes(subject, destination, mmproj)
    needed = _needed(subject, files) + (eyes.bytes if eyes is not None and not eyes.ready else 0)
    if not only_look:
        require_space(paths[0], needed)
    warnings = (*subject.warnings, *(line for file in files for line in file.warnings))
    return ExportPlan(subject, files, imatrix, destination, needed, _free(destination), warnings, eyes)


def gguf_bytes(base: Source, tensors: Mapping[str, tuple[int, ...]], layers: int) -> dict[str, int]:
    """Predicted bytes of the usual types for a child of these tensors that is otherwise like `base`."""
    shapes, tokenizer = shapes_of(base, tensors, layers), vocabulary_bytes(base)
    types = find_types(_USUAL, imatrix=False)
    return {wanted.name: predict(shapes, wanted, imatrix=False).bytes + tokenizer for wanted in types}


def _paths(subject: Subject, types: Sequence[FileType], out: Path | None) -> list[Path]:
    if out is not None and out.suffix == ".gguf":
        if len(types) > 1:
            raise InputError(f"--out {out}: is a file, but there are {len(types)} types; give a folder")
        return [out.absolute()]
    folder = (out or subject.home).absolute()
    return [folder / subject.name.file_name(wanted.name) for wanted in types]


def _planned(subject: Subject, wanted: FileType, path: Path, imatrix: bool) -> PlannedFile:
    found = predict(subject.shapes, wanted, imatrix=imatrix)
    size = found.bytes + subject.vocabulary_bytes
    bits = 8 * size / max(1, subject.shapes.parameters)
    return PlannedFile(wanted, path, size, bits, wanted.expected_loss(imatrix=imatrix), tuple(_warnings(wanted, found.larger)))


def _planned_eyes(subject: Subject, folder: Path, given: Path | None) -> PlannedEyes | None:
    if subject.eyes is None:
        if given is not None:
            raise InputError("a text model has no eyes", where=f"--mmproj {given}", remedy="leave the option out")
        return None
    if given is None:
        places = [folder / subject.name.mmproj_name(encoding) for encoding in ("", EYES_TYPE)]
        there = next((path for path in places if path.is_file()), None)
        if there is not None:
            return PlannedEyes(there, there.stat().st_size, None, ready=True)
        if subject.eyes.kind in UNCONVERTED:
            raise no_converter(subject.eyes.family)
        return PlannedEyes(places[-1], 2 * subject.eyes.parameters, None, ready=False)
    if not given.is_file():
        raise InputError("no such file", where=f"--mmproj {given}", remedy="give a GGUF file")
    require_mmproj(given)
    path = folder / subject.name.mmproj_name("")
    ready = path.exists()
    if ready and not path.samefile(given) and sha256_of(path) != sha256_of(given):
        raise InputError(
            "already exists, and is another file", where=path, remedy="remove it, or give another place with --out"
        )
    return PlannedEyes(path, given.stat().st_size, given, ready)


def _needed(subject: Subject, files: Sequence[PlannedFile]) -> int:
    """The files, the plain GGUF that they are made from, and the merge where that must be done first."""
    plain = float_bytes(subject.shapes, subject.kind) + subject.vocabulary_bytes
    merged = 2 * subject.shapes.parameters if subject.folder is None else 0
    return merged + plain + sum(file.bytes for file in files if file.type.name != subject.kind)


def _free(folder: Path) -> int:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(there).free


def _warnings(wanted: FileType, larger: int) -> Iterator[str]:
    if larger:
        yield f"{wanted.name}: {larger} tensors get a larger type, because their rows can't be divided into its blocks"
    if wanted.note:
        yield f"{wanted.name}: {wanted.note}"
