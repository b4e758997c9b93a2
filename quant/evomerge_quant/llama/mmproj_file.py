"""Which file a GGUF sees with: what llama.cpp calls an `mmproj` holds a vision-language model's tower and projector."""

from __future__ import annotations

import re
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_quant.gguf_head import read_head

MMPROJ = "mmproj"
# What the name of a file has that failed verification.
SUSPECT = ".suspect"
_SEES = "clip.has_vision_encoder"
_REMEDY = "give the base's own, such as mmproj-...gguf"


def is_mmproj(path: Path) -> bool:
    """Whether a GGUF is by its name one to see with, and no model."""
    return MMPROJ in path.name.lower()


def require_mmproj(path: Path) -> None:
    """InputError for a file that isn't a GGUF with a vision tower, by its head: verification tells another model's."""
    if read_head(path, (_SEES,), remedy=_REMEDY).get(_SEES) is not True:
        raise InputError("is no mmproj file with a vision tower", where=path, remedy=_REMEDY)


def find_mmproj(gguf: Path) -> Path | None:
    """The `mmproj` file of a GGUF in its folder: the one that has its name, or the only one; None where there is none.

    `Base-1B-v1.0-Q8_0.gguf` goes with `mmproj-Base-1B-v1.0-F16.gguf`, rather than with another that only begins so. Of several
    the largest, which has lost least, and one that failed verification last.
    """
    beside = sorted(path for path in gguf.absolute().parent.glob("*.gguf") if is_mmproj(path) and path.is_file())
    stem = gguf.stem.removesuffix(SUSPECT).rpartition("-")[0]
    named = [path for path in beside if stem and stem in path.name]
    found = named or (beside if len(beside) == 1 else [])
    own = re.compile(rf"{MMPROJ}-{re.escape(stem)}(-[^-]+)?")

    def fitting(path: Path) -> tuple[bool, bool, int, str]:
        name = path.stem.removesuffix(SUSPECT)
        return own.fullmatch(name) is not None, name == path.stem, path.stat().st_size, path.name

    return max(found, key=fitting, default=None)
