"""How long an export to Q4_K_M takes, against upstream's two commands on the same files.

    python tests/benchmarks/export_speed.py MODEL_DIR [--repeats 3]

Upstream: `convert_hf_to_gguf.py --outtype bf16`, then llama.cpp's quantising in a fresh process (`llama-quantize` isn't in
llama-cpp-python's build, so that process calls the same `llama_model_quantize`, with as many threads). Ours: the whole command
`evomerge-tui export MODEL_DIR --type Q4_K_M --no-proof`, which also checks the model and writes metadata; the proof is left
out, as upstream has none. The two take turns, so that a busy machine slows both; the files' tensors must be the same. Prints a
Markdown table.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gguf
import numpy as np

from evomerge_quant.gguf.convert.converter import find_converter
from evomerge_quant.gguf.quantize.quantize import usable_cores

TYPE = "Q4_K_M"
_QUANTIZE = """
import ctypes, sys, llama_cpp
source, target, threads = sys.argv[1:]
parameters = llama_cpp.llama_model_quantize_default_params()
parameters.ftype, parameters.nthread = llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M, int(threads)
llama_cpp.llama_backend_init()
sys.exit(llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters)))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    converter = find_converter()
    upstream, ours = [], []
    with tempfile.TemporaryDirectory() as place:
        for number in range(args.repeats):
            one, other = Path(place) / f"upstream-{number}.gguf", Path(place) / f"ours-{number}.gguf"
            upstream.append(seconds(*upstreams_commands(converter, args.model, Path(place) / "plain.gguf", one)))
            ours.append(seconds([sys.executable, "-m", "evomerge_tui", "export", args.model, "--type", TYPE, "--no-proof",
                                 "--out", other]))  # fmt: skip
            require_same_tensors(one, other)
            for path in Path(place).glob("*.gguf"):
                path.unlink()
            print(f"<!-- {number + 1}: upstream {upstream[-1]:.1f} s, ours {ours[-1]:.1f} s -->", flush=True)
    a, b = statistics.median(upstream), statistics.median(ours)
    print(f"| {args.model.name} to {TYPE} | seconds, median of {args.repeats} |\n| --- | ---: |")
    print(f"| convert_hf_to_gguf.py, then llama.cpp's quantising | {a:.1f} |\n| evomerge-tui export, not proved | {b:.1f} |")
    print(f"\n{b / a:.2f} times upstream")


def upstreams_commands(converter: Path, model: Path, plain: Path, target: Path) -> tuple[list[object], list[object]]:
    script = converter / "convert_hf_to_gguf.py"
    convert = [sys.executable, script, model, "--outfile", plain, "--outtype", "bf16"]
    return convert, [sys.executable, "-c", _QUANTIZE, plain, target, usable_cores()]


def seconds(*commands: list[object]) -> float:
    """The wall time of commands, one after the other."""
    started = time.perf_counter()
    for command in commands:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{command[1:3]} failed:\n{done.stderr[-2000:]}")
    return time.perf_counter() - started


def require_same_tensors(one: Path, other: Path) -> None:
    ours, theirs = ({tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors} for path in (one, other))
    if ours.keys() != theirs.keys() or any(not np.array_equal(ours[name].data, theirs[name].data) for name in ours):
        sys.exit("the two files' tensors differ")


if __name__ == "__main__":
    main()
