"""Which file a GGUF sees with: what llama.cpp calls an `mmproj` holds a vision-language model's tower and projector."""

from __future__ import annotations

from pathlib import Path

MMPROJ = "mmproj"


def is_mmproj(path: Path) -> bool:
    """Whether a GGUF is by its name one to see with, and no model."""
    return MMPROJ in path.name.lower()


def find_mmproj(gguf: Path) -> Path | None:
    """The `mmproj` file of a GGUF in its folder: the one that has its name, or the only one; None where there is none.

    `Base-1B-v1.0-Q8_0.gguf` goes with `mmproj-Base-1B-v1.0-F16.gguf`. Of several the largest, which has lost least.
    """
    beside = sorted(path for path in gguf.absolute().parent.glob("*.gguf") if is_mmproj(path) and path.is_file())
    stem = gguf.stem.removesuffix(".suspect").rpartition("-")[0]
    named = [path for path in beside if stem and stem in path.name]
    found = named or (beside if len(beside) == 1 else [])
    return max(found, key=lambda path: (path.stat().st_size, path.name), default=None)
