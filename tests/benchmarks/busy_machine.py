"""What verifying a GGUF file costs beside other programs: its time on an idle machine, and beside busy processes.

    python tests/benchmarks/busy_machine.py [--busy 2] [--repeats 3]

The proof is the quickstart's: the Q8_0 file (145 MB) of a merge of its two adapters, held against the merged model on the 48
validation items. Each is a process of its own, timed from the proof's start, what it loads before not counted; "llama.cpp"
is the part that reads the file. A busy process is one thread that computes without end. Idle and busy take turns. Prints a
Markdown table; where the base is missing, it is made from PyPI's package.

A fair share of C cores beside B busy threads, for a proof of C threads that never wait, would be (C + B) / C times as long.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from platformdirs import user_cache_path

from evomerge_core.recipe.load import dump_recipe, load_recipe
from evomerge_core.recipe.schema import Recipe
from evomerge_core.run.setup import prepare
from evomerge_quant.gguf.proof.proof import prove_against
from evomerge_quant.gguf.proof.proof_items import proof_items
from evomerge_quant.gguf.proof.reference import Reference
from evomerge_quant.gguf.quantize.quantize import usable_cores
from evomerge_quant.llama.context import LlamaContext
from evomerge_recipes.quickstart.prepare import prepared_recipe

TYPE = "Q8_0"
# About what the quickstart's search finds, without bands.
WEIGHTS = {"arithmetic": 0.9, "japanese": 0.6}
RECIPE, MODEL, FILE = "recipe.yaml", "model", "model.gguf"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--busy", type=int, default=2, help="busy processes (default: 2)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--prove", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.prove is not None:
        print(json.dumps(prove(args.prove)))
        return
    idle, busy = [], []
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        make_files(place)
        for number in range(args.repeats):
            idle.append(one_proof(place))
            with busy_processes(args.busy):
                busy.append(one_proof(place))
            line = f"idle {idle[-1][0]:.1f} s, busy {busy[-1][0]:.1f} s, load {os.getloadavg()[0]:.1f}"
            print(f"<!-- {number + 1}: {line} -->", flush=True)
    print(table(idle, busy, args.busy))


def make_files(place: Path) -> None:
    """The merged model, its file, and the recipe whose items it is proved on."""
    recipe = prepared_recipe(user_cache_path("evomerge-tui"))
    (place / RECIPE).write_text(dump_recipe(recipe), encoding="utf-8")
    (place / "merge.yml").write_text(yaml.safe_dump(merge_of(recipe)), encoding="utf-8")
    evomerge_tui("merge", place / "merge.yml", place / MODEL)
    evomerge_tui("export", place / MODEL, "--type", TYPE, "--no-proof", "--out", place / FILE)


def merge_of(recipe: Recipe) -> dict[str, object]:
    models = [{"model": source.model, "parameters": {"weight": WEIGHTS[str(source.name)]}} for source in recipe.sources]
    dtypes = {"dtype": "float32", "out_dtype": "bfloat16"}
    return {"merge_method": "task_arithmetic", "base_model": recipe.base, "models": models, **dtypes}


def evomerge_tui(*words: object) -> None:
    command = [sys.executable, "-m", "evomerge_tui", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{words[0]} failed:\n{done.stderr[-2000:]}")


def one_proof(place: Path) -> tuple[float, float]:
    """Seconds of a proof in a process of its own, and of llama.cpp's part of it."""
    command = [sys.executable, __file__, "--prove", str(place)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"the proof ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    whole, llama = json.loads(done.stdout.splitlines()[-1])
    return whole, llama


def prove(place: Path) -> tuple[float, float]:
    """The proof as `export` takes it, the reference's loading included."""
    items = proof_items(prepare(load_recipe(place / RECIPE), place))
    with timed_llama() as llama:
        started = time.perf_counter()
        proof = prove_against(Reference(place / MODEL, items), place / FILE, type_name=TYPE)
        seconds = time.perf_counter() - started
    if not proof.passed:
        sys.exit(f"the proof failed: {'; '.join(proof.failures)}")
    return seconds, sum(llama)


@contextmanager
def timed_llama() -> Iterator[list[float]]:
    """Collects the seconds that llama.cpp reads tokens."""
    found: list[float] = []
    read = LlamaContext.read

    def timed(self: LlamaContext, runs: object) -> object:
        started = time.perf_counter()
        try:
            return read(self, runs)  # type: ignore[arg-type]
        finally:
            found.append(time.perf_counter() - started)

    LlamaContext.read = timed  # type: ignore[assignment, method-assign]
    try:
        yield found
    finally:
        LlamaContext.read = read  # type: ignore[method-assign]


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def table(idle: list[tuple[float, float]], busy: list[tuple[float, float]], count: int) -> str:
    lines = [
        f"{processor()}, {usable_cores()} cores; medians of {len(idle)}",
        "",
        f"| the quickstart's proof of a {TYPE} file | idle, s | beside {count} busy processes, s | times as long |",
        "| --- | ---: | ---: | ---: |",
    ]
    for part, name in enumerate(("whole", "llama.cpp's part")):
        alone, beside = (statistics.median(times[part] for times in found) for found in (idle, busy))
        lines.append(f"| {name} | {alone:.1f} | {beside:.1f} | {beside / alone:.2f} |")
    return "\n".join(lines)


def processor() -> str:
    """The processor's name, as Linux tells it."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
