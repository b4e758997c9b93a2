"""Merging by the text of a merge file, beside the models that it names."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from evomerge_core.fixed_merge.merge_from_file import merge_from_file


def merge_text(models: Path, out: Path, text: str) -> dict[str, Tensor]:
    """The child's tensors by name; the file is written as `models/merge.yml`."""
    (models / "merge.yml").write_text(text, encoding="utf-8")
    merge_from_file(models / "merge.yml", out)
    return load_file(out / "model.safetensors")
