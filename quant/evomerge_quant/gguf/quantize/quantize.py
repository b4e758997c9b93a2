"""From a GGUF of plain numbers to a quantised one, by llama.cpp in a process of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_quant.gguf import worker
from evomerge_quant.gguf.full_disk import full_disk_of
from evomerge_quant.gguf.progress import ExportStep, OnStep
from evomerge_quant.gguf.quantize.file_types import FileType


def quantize(source: Path, target: Path, wanted: FileType, on_step: OnStep, imatrix: Path | None = None) -> None:
    """Writes `target` with all threads; `imatrix` is an .npz as `save_imatrix` writes it.

    InputError in one line when llama.cpp fails; `target` may then be incomplete.
    """
    what = f"quantize {wanted.name}"
    on_step(ExportStep(what))

    def report(line: str) -> None:
        word, *numbers = line.split()
        if word == "progress" and len(numbers) == 2:
            on_step(ExportStep(what, int(numbers[0]) / max(1, int(numbers[1]))))

    job = {
        "source": str(source),
        "target": str(target),
        "constant": wanted.constant,
        "threads": usable_cores(),
        "imatrix": None if imatrix is None else str(imatrix),
    }
    process = worker.start("evomerge_quant.gguf.quantize.quantize_process", [json.dumps(job)])
    status, last = worker.follow(process, report)
    if status != 0:
        lines = [line for line in last if not line.startswith("progress ")]
        raise full_disk_of(target, source.stat().st_size) or InputError(_why(wanted, lines))


def usable_cores() -> int:
    """The cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _why(wanted: FileType, last: Sequence[str]) -> str:
    output = " ".join(last)
    if "has no attribute" in output and wanted.constant in output:
        return f"--type {wanted.name}: the installed llama-cpp-python can't write it; use another type, or a newer version"
    if "data validation failed" in output:
        return f"--type {wanted.name}: some weights are out of range for this type; use BF16 or Q8_0"
    reason = last[-1].rpartition("failed to quantize: ")[2] if last else "it gave no reason"
    return f"--type {wanted.name}: llama.cpp failed to quantise: {reason}"
