"""mergekit 0.1.5 in an environment of its own, and the models that it and evomerge-tui are compared on."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Without the pin pip may bring a build of torch for CUDA.
REQUIREMENTS = (["torch==2.13.0"], ["mergekit==0.1.5"])

APPLY_ADAPTER = """
import sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
base, adapter, out, dtype = sys.argv[1:]
model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
model = PeftModel.from_pretrained(model, adapter).merge_and_unload().to(getattr(torch, dtype))
model.save_pretrained(out)
AutoTokenizer.from_pretrained(base).save_pretrained(out)
"""

# Runs in mergekit's environment: one process for all merges, as its libraries take longer to load than to merge.
MERGE_ALL = """
import json, os, sys
os.environ["HF_HUB_OFFLINE"] = "1"
from mergekit.scripts.multimerge import main as several
from mergekit.scripts.run_yaml import main as one
quiet = ["--quiet", "--no-write-model-card"]
for file, out, documents in json.loads(sys.argv[1]):
    try:
        if documents > 1:
            several([file, "--out-path", out, "-I", out + "-between", *quiet], standalone_mode=False)
        else:
            one([file, out, *quiet], standalone_mode=False)
    except Exception as error:
        print(f"{file}: {error!r}"[:200])
"""


@dataclass(frozen=True)
class Models:
    """Model folders: the base and two fine-tunes of it."""

    base: Path
    first: Path
    second: Path


def mergekit_environment(folder: Path) -> Path:
    """The Python of an environment that has mergekit; made when it isn't there yet."""
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        for requirement in REQUIREMENTS:
            subprocess.run([python, "-m", "pip", "install", "--quiet", *requirement], check=True)
        (folder / "complete").touch()
    return python


def merge_all(python: Path, jobs: Sequence[tuple[str, str, int]], folder: Path) -> str:
    """Merges (file, out folder, number of documents) in `folder`, each where mergekit takes it; what it said of the others."""
    line = [str(python), "-c", MERGE_ALL, json.dumps(jobs)]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=True)
    return "".join(said for said in done.stdout.splitlines(keepends=True) if said.startswith(tuple(job[0] for job in jobs)))


def fine_tunes(base: Path, given: Sequence[Path], python: Path, folder: Path, dtype: str) -> Models:
    """The base and two fine-tunes; a PEFT adapter is merged into the base and saved in `folder` as `dtype`."""

    def fine_tune(source: Path, name: str) -> Path:
        if not (source / "adapter_config.json").exists():
            return source.resolve()
        if not (folder / name / "config.json").exists():
            run_command([python, "-c", APPLY_ADAPTER, base, source, folder / name, dtype])
        return folder / name

    return Models(base.resolve(), fine_tune(given[0], "first"), fine_tune(given[1], "second"))


def run_command(command: Sequence[str | Path]) -> None:
    """Runs a command to its end; SystemExit with what it said when it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command[:4]))} ... ended with {done.returncode}:\n{done.stdout}{done.stderr}")
