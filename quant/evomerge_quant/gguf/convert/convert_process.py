"""The worker that checks models and runs llama.cpp's converter.

    python -m evomerge_quant.gguf.convert.convert_process FOLDER

It loads what the converter needs, which takes seconds, and then reads lines of JSON: `{"check": MODEL}` as often as wanted,
each answered by a line, then `{"convert": ARGUMENTS, "half": HALF}`, with which it becomes the converter. Checks are made here
because they need the same libraries as the converter, so that only one process has to load them.

The converter lets transformers run a model's own code; here none of it is run (`ClosedProcess`).
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

from evomerge_quant.gguf.closed_process import ClosedProcess
from evomerge_quant.gguf.convert.halves import show_half
from evomerge_quant.gguf.convert.remote_code import forbid_remote_code
from evomerge_quant.gguf.convert.window_pattern import write_window_pattern
from evomerge_quant.gguf.worker import end_with_parent

CHECKED = "checked "


def main() -> None:
    folder = Path(sys.argv[1])
    closed = ClosedProcess(folder)
    # The converter's own gguf comes before PyPI's, which is older though it says the same version.
    sys.path[:0] = [str(folder), str(folder / "gguf-py")]
    _load(folder)
    while "check" in (job := json.loads(_read_line())):
        closed.distrust(Path(job["check"]))
        # A line of its own, whatever a library has left behind.
        print("\n" + CHECKED + json.dumps(_check(Path(job["check"]))), flush=True)
    end_with_parent()
    closed.distrust(Path(job["convert"][0]))
    write_window_pattern(Path(job["convert"][0]))
    show_half(Path(job["convert"][0]), job["half"])
    script = folder / "convert_hf_to_gguf.py"
    sys.argv = [str(script), *job["convert"]]
    runpy.run_path(str(script), run_name="__main__")


def _load(folder: Path) -> None:
    import gguf
    import transformers

    forbid_remote_code()
    if not Path(gguf.__file__).is_relative_to(folder):
        sys.exit(f"gguf is {gguf.__file__}, not the converter's own")
    # Looking the class up loads the module behind it.
    _ = transformers.AutoTokenizer
    if (folder / "conversion").is_dir():
        __import__("conversion.llama")
        _look_for_no_blocks_ahead()


def _look_for_no_blocks_ahead() -> None:
    """As the converter's `--no-mtp`, which it refuses for families without multi-token prediction.

    What is exported never holds such blocks, and for some families the converter asserts that they are there.
    """
    base: Any = importlib.import_module("conversion.base")
    base.ModelBase.no_mtp = True


def _check(model: Path) -> dict[str, Any]:
    """The gate's warnings, or why it refuses the model, in one line."""
    from evomerge_core.errors import InputError
    from evomerge_quant.gguf.convert.model_gate import check

    try:
        return {"warnings": check(model)}
    except InputError as error:
        return {"error": str(error)}


def _read_line() -> bytes:
    """The first line of standard input, unbuffered; ends this process when the parent has gone."""
    line = b""
    while not line.endswith(b"\n"):
        read = os.read(0, 1)
        if not read:
            sys.exit(3)
        line += read
    return line


if __name__ == "__main__":
    main()
