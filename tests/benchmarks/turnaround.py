"""From a genome to a 4-bit model ready to score: streamed into the resident model, against mergekit and a rebuilt model.

    python tests/benchmarks/turnaround.py BASE FIRST SECOND [--mergekit-venv FOLDER] [--work FOLDER] [--repeats 3]

BASE is a model folder; FIRST and SECOND are fine-tunes of it, as model folders or as PEFT adapter folders, which peft
merges into the base and saves in bfloat16. Ours: the plan of a merge, merged tensor by tensor and quantised in place.
Theirs: mergekit 0.1.5 as a process of its own, then `from_pretrained(load_in_4bit)` in this process; both on the CPU and
on the same configuration (dtype float32, out_dtype bfloat16), NF4 without double quantisation. Each repeat merges with
other weights and densities, so nothing that depends on them is kept from the last. Prints the median seconds of each as a
Markdown table. Building the resident model is done once per run and is shown apart. Ends with status 1 when our way writes
a byte.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from mergekit_environment import Models, fine_tunes, mergekit_environment, run_command
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
from transformers.utils import logging

from evomerge_core.fixed_merge.mergekit import write_mergekit
from evomerge_core.merging.config import MergeConfig, Setting, Slice, SliceSource
from evomerge_core.merging.engine import MergeEngine
from evomerge_core.merging.plan.plan import make_plan
from evomerge_core.sources.source import Source, open_sources
from evomerge_quant.resident.model import ResidentModel, build
from evomerge_quant.resident.network.few_bits.nf4_linear import Nf4Linear

METHODS = ("dare_ties", "ties")


@dataclass(frozen=True)
class Timing:
    """Seconds of one candidate, by part."""

    merge: float
    load: float
    ours: float


@dataclass(frozen=True)
class Result:
    """A method's timings, the bytes that our way wrote, and the share of 4-bit codes on which both ways agree."""

    timings: tuple[Timing, ...]
    written: int
    agreement: float


def main() -> int:
    """Prints the table; status 1 when our way wrote to disk."""
    arguments = _arguments()
    logging.disable_progress_bar()
    with _work_folder(arguments.work) as work:
        python = mergekit_environment(arguments.mergekit_venv or work / "environment")
        models = fine_tunes(arguments.base, (arguments.first, arguments.second), python, work, "bfloat16")
        sources = open_sources([str(path) for path in (models.base, models.first, models.second)], relative_to=work)
        start = time.perf_counter()
        resident = build(models.base, precision="nf4", device="cpu")
        built = time.perf_counter() - start
        print(f"{torch.get_num_threads()} threads; the resident model is built once a run, in {built:.1f} s\n")
        print("| method | mergekit | from_pretrained | theirs | ours | times faster | bytes written by ours | codes equal |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        written = 0
        for method in METHODS:
            result = compare(method, models, sources, resident, python, work / "merges", arguments.repeats)
            print(table_row(method, result), flush=True)
            written += result.written
    return 1 if written else 0


def compare(
    method: str,
    models: Models,
    sources: Mapping[str, Source],
    resident: ResidentModel,
    python: Path,
    folder: Path,
    repeats: int,
) -> Result:
    """Times both ways, genome after genome."""
    engine = MergeEngine(sources)
    take(genome(method, models, 0), engine, sources, resident)  # compiles, maps files
    timings, written, agreement = [], 0, 1.0
    for step in range(1, repeats + 1):
        config = genome(method, models, step)
        before = written_bytes()
        ours = take(config, engine, sources, resident)
        written += written_bytes() - before
        merge, load, theirs = merge_and_rebuild(config, python, folder)
        timings.append(Timing(merge, load, ours))
        agreement = min(agreement, equal_codes(resident, theirs))
    return Result(tuple(timings), written, agreement)


def genome(method: str, models: Models, step: int) -> MergeConfig:
    """A merge of both fine-tunes into the base; `step` moves weights and densities."""

    def member(model: Path, weight: float) -> SliceSource:
        numbers = {"weight": weight, "density": 0.5 + 0.03 * step}
        return SliceSource(str(model), None, {name: (Setting((value,)),) for name, value in numbers.items()})

    members = (member(models.first, 0.6 + 0.05 * step), member(models.second, 0.5 + 0.05 * step))
    return MergeConfig(method, (Slice(members),), str(models.base))


def take(config: MergeConfig, engine: MergeEngine, sources: Mapping[str, Source], resident: ResidentModel) -> float:
    """Seconds from a merge to a model that is ready to score, our way."""
    start = time.perf_counter()
    resident.load(engine.stream(make_plan(config, sources)))
    return time.perf_counter() - start


def merge_and_rebuild(config: MergeConfig, python: Path, folder: Path) -> tuple[float, float, Any]:
    """Seconds of mergekit, seconds of loading in 4 bits, and the model, the other way."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    file, out = folder / "merge.yml", folder / "merged"
    # All models share the tokenizer: if it knew, mergekit would align vocabularies and take longer.
    lines = [line for line in write_mergekit(config).splitlines() if not line.startswith("tokenizer_source:")]
    file.write_text("\n".join(lines), encoding="utf-8")
    start = time.perf_counter()
    run_command([python, "-m", "mergekit.scripts.run_yaml", file, out, "--quiet"])
    merged = time.perf_counter()
    settings = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)
    model: Any = AutoModelForCausalLM.from_pretrained(out, quantization_config=settings, dtype=torch.bfloat16)
    loaded = time.perf_counter()
    shutil.rmtree(folder)
    return merged - start, loaded - merged, model


def equal_codes(resident: ResidentModel, theirs: Any) -> float:
    """The share of packed 4-bit codes that are the same in both models; a random method draws other masks in each."""
    same = total = 0
    for name, layer in resident.module.named_modules():
        if isinstance(layer, Nf4Linear):
            equal = layer.weight.data.view(-1) == theirs.get_submodule(name).weight.data.view(-1)
            same += int(equal.sum())
            total += equal.numel()
    return same / total


def written_bytes() -> int:
    """What this process has written so far, to files of any kind (Linux and Windows; elsewhere always 0)."""
    counters = getattr(psutil.Process(), "io_counters", None)
    if counters is None:
        return 0
    count = counters()
    return int(getattr(count, "write_chars", count.write_bytes))


def table_row(method: str, result: Result) -> str:
    """One line of the table, medians."""
    merge, load, ours = (statistics.median(getattr(t, part) for t in result.timings) for part in ("merge", "load", "ours"))
    theirs = statistics.median(t.merge + t.load for t in result.timings)
    figures = f"{merge:.1f} s | {load:.1f} s | {theirs:.1f} s | {ours:.2f} s | {theirs / ours:.0f}"
    return f"| {method} | {figures} | {result.written} | {result.agreement:.2%} |"


@contextlib.contextmanager
def _work_folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="turnaround-") as made:
        yield Path(made)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Times a candidate from genome to 4-bit model, against mergekit.")
    parser.add_argument("base", type=Path, help="the base model's folder")
    parser.add_argument("first", type=Path, help="a fine-tune of it: a model folder, or a PEFT adapter's")
    parser.add_argument("second", type=Path, help="another")
    parser.add_argument("--mergekit-venv", type=Path, help="an environment with mergekit (default: made in the work folder)")
    parser.add_argument("--work", type=Path, help="keep environment and fine-tunes here (default: a temporary folder)")
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
