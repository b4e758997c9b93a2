"""What preflight says a run takes in memory, beside what it takes: on the CPU, and on a pretended card.

    python tests/benchmarks/plan_against_reality.py [--recipe RECIPE] [--keep FOLDER] [--only NAME ...]

Without RECIPE whole runs on generated models are made, of several sizes, precisions and methods, and along a path. RAM is the
most that the job holds beside mapped files, which Linux counts as RssAnon and the plan doesn't count either; VRAM is the most
bytes that tensors on the pretended card hold at once. Every run is a process of its own. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SIZES: dict[str, dict[str, int]] = {
    "2 M": {"hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 4, "vocab_size": 4096},
    "25 M": {"hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 6, "vocab_size": 16384},
    "90 M": {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 12, "vocab_size": 16384},
    "0.4 B": {"hidden_size": 1280, "intermediate_size": 3584, "num_hidden_layers": 16, "vocab_size": 49152},
}
# A run of each: size, precision, and what else of the recipe.
RUNS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "2 M, nf4": ("2 M", "nf4", {}),
    "25 M, nf4": ("25 M", "nf4", {}),
    "90 M, nf4": ("90 M", "nf4", {}),
    "90 M, int8": ("90 M", "int8", {}),
    "90 M, bf16": ("90 M", "bf16", {}),
    "90 M, bf16, ties": ("90 M", "bf16", {"search_space": {"method": "ties", "groups": "whole"}}),
    "90 M, bf16, della": ("90 M", "bf16", {"search_space": {"method": "della", "groups": "whole"}}),
    "90 M, bf16, a path": ("90 M", "bf16", {"paths": {"sources": ["first", "second"], "max_layers": 14}}),
    "0.4 B, nf4": ("0.4 B", "nf4", {}),
    "0.4 B, bf16": ("0.4 B", "bf16", {}),
}
_HEAD = """| run | device | planned MB | of it reserve | measured MB | measured/planned |
| --- | --- | ---: | ---: | ---: | ---: |"""


def main() -> None:
    """Prints the table, or carries one run out where `--one` names it."""
    arguments = _arguments()
    if arguments.one:
        print(json.dumps(_one(arguments.one, arguments.recipe)))
        return
    with tempfile.TemporaryDirectory() as made:
        place = arguments.keep or Path(made)
        named = {"recipe": arguments.recipe} if arguments.recipe else dict.fromkeys(arguments.only or RUNS)
        print(_HEAD)
        for name, recipe in named.items():
            recipe = recipe or _write(place, name)
            for device in arguments.devices:
                found = _measured(device, recipe)
                planned, reserve, measured = (found[key] / 1e6 for key in ("planned", "reserve", "measured"))
                cells = (name, device, f"{planned:,.0f}", f"{reserve:,.0f}", f"{measured:,.0f}", f"{measured / planned:.2f}")
                print(f"| {' | '.join(cells)} |", flush=True)


def _write(place: Path, name: str) -> Path:
    """The recipe of one of `RUNS`, beside models that runs of the same size share."""
    from support.tiny_run import save_model, write_recipe

    size, precision, changes = RUNS[name]
    folder = place / size
    recipe = write_recipe(
        folder,
        **{
            "budget": {"evaluations": 2},
            "splits": {"search": 16, "validation": 8, "test": 16},
            "search_space": {"groups": "whole"},
            "evaluation": {"precision": precision, "device": "cpu", "agreement": False},
            **changes,
        },
    )
    if "paths" in changes:
        data = yaml.safe_load(recipe.read_text())
        del data["search_space"]
        recipe.write_text(yaml.safe_dump(data, sort_keys=False))
    base = save_model(folder / "base", 0, **SIZES[size])
    for source, seed in (("first", 1), ("second", 2)):
        save_model(folder / source, seed, base, **SIZES[size])
    return recipe


def _measured(device: str, recipe: Path) -> dict[str, Any]:
    words = [sys.executable, __file__, "--one", device, "--recipe", str(recipe)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _one(device: str, path: Path) -> dict[str, int]:
    """Bytes that are planned, of these the reserve, and bytes that are taken; of a card without what a process takes on a real
    one."""
    from evomerge_core.recipe.load import load_recipe
    from evomerge_core.run.setup import create_run
    from evomerge_quant.planning.memory import CUDA_BYTES
    from evomerge_quant.planning.preflight import preflight
    from evomerge_tui.processes.job import work
    from support.pretended_card import pretended_card

    recipe = load_recipe(path)
    recipe = recipe.model_copy(update={"evaluation": recipe.evaluation.model_copy(update={"device": device})})
    with tempfile.TemporaryDirectory() as place, pretended_card() as card:
        planned = preflight(recipe).estimate
        assert planned is not None
        most = _Most()
        if work(create_run(recipe, out=Path(place) / "run")):
            raise RuntimeError("the run failed")
        if device == "cuda":
            return {"planned": planned.vram - CUDA_BYTES, "reserve": 0, "measured": card.peak}
        return {"planned": planned.ram, "reserve": planned.memory.reserve, "measured": most.end()}


class _Most:
    """The most anonymous memory that this process has held since."""

    def __init__(self) -> None:
        self._most = 0
        self._is_over = False
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> int:
        """Stops watching; the bytes."""
        self._is_over = True
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._is_over:
            self._most = max(self._most, _anonymous())
            time.sleep(0.01)


def _anonymous() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("RssAnon")))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", type=Path, help="a recipe's file in the place of the generated models")
    parser.add_argument("--only", nargs="+", choices=RUNS, help="some of the runs on generated models")
    parser.add_argument("--devices", nargs="+", choices=("cpu", "cuda"), default=("cpu", "cuda"))
    parser.add_argument("--keep", type=Path, help="a folder for the generated models")
    parser.add_argument("--one", choices=("cpu", "cuda"), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
