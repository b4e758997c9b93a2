"""Fixed merges of vision-language models, and what they must be by hand."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from evomerge_core.fixed_merge.merge_from_file import merge_from_file

WEIGHT = 0.4
_MERGE = """
merge_method: task_arithmetic
base_model: ./{base}
models:
  - model: ./{source}
    parameters: {{weight: 0.4}}
dtype: float32
out_dtype: float32
"""


def merged(folder: Path, source: str = "text", base: str = "eyes", further: str = "") -> Path:
    """The child of `base` and `WEIGHT` of the source's task vector, models of `folder`; `further` are lines of the file."""
    return merged_by(folder, _MERGE.format(source=source, base=base) + further)


def merged_by(folder: Path, file: str) -> Path:
    """The child of a merge file."""
    (folder / "merge.yml").write_text(file, encoding="utf-8")
    merge_from_file(folder / "merge.yml", folder / "child")
    return folder / "child"


def tensors(folder: Path) -> dict[str, Tensor]:
    """All tensors of a model, by stored name."""
    return load_file(folder / "model.safetensors")


def by_hand(base: Tensor, text: Tensor) -> Tensor:
    """base + WEIGHT * (text - base) on the rows that both have: the text model's words come first in both."""
    made = base.clone()
    made[: len(text)] += WEIGHT * (text - base[: len(text)])
    return made
