"""From a Hugging Face model folder to a GGUF of plain numbers, by llama.cpp's own converter in a process of its own."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_quant.gguf import worker
from evomerge_quant.gguf.closed_process import refused_line
from evomerge_quant.gguf.convert.convert_process import CHECKED
from evomerge_quant.gguf.convert.halves import Half
from evomerge_quant.gguf.convert.plain_view import plain_view
from evomerge_quant.gguf.full_disk import full_disk_of
from evomerge_quant.gguf.progress import ExportStep, OnStep
from evomerge_quant.llama.mmproj_file import MMPROJ

WHAT = "convert"
_SHARE = re.compile(r"^Writing:\s*(\d+)%")
_UNSUPPORTED = re.compile(r"Model (\S+) is not supported")


@contextlib.contextmanager
def waiting_converter(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The converter of that folder: it loads its libraries and waits for `check_model` and `run_converter`.

    It ends with the context.
    """
    process = worker.start("evomerge_quant.gguf.convert.convert_process", [str(folder)])
    try:
        yield process
    finally:
        worker.end(process)


def check_model(process: subprocess.Popen[bytes], model: Path) -> tuple[str, ...]:
    """Has a waiting converter check a model (`model_gate.check`): warnings, or InputError with why the model is refused."""
    answer, last = worker.ask(process, json.dumps({"check": str(model.absolute())}), CHECKED)
    if answer is None:
        raise InputError(_why(model, last))
    found: dict[str, Any] = json.loads(answer)
    if "error" in found:
        raise InputError(found["error"])
    return tuple(found["warnings"])


def run_converter(
    process: subprocess.Popen[bytes],
    model: Path,
    target: Path,
    kind: str,
    metadata: Mapping[str, Any],
    on_step: OnStep,
    half: Half = "language",
) -> None:
    """Has a waiting converter write `target`, and waits for it. InputError in one line when it fails.

    The converter gets the model's data alone (`plain_view`), in a folder beside `target`. `kind` is F32, F16 or BF16;
    `metadata` overrides what the converter makes of the model's card. Of a vision-language model one `half` is written.
    """
    what = WHAT if half == "language" else f"{WHAT} {MMPROJ}"
    on_step(ExportStep(what))
    overrides = target.parent / "metadata.json"
    overrides.write_text(json.dumps(metadata, ensure_ascii=False), encoding="utf-8")
    with plain_view(model, target.parent / "view") as view:
        arguments = [str(view), "--outfile", str(target), "--outtype", kind.lower(), "--metadata", str(overrides)]
        arguments += [f"--{MMPROJ}"] if half == "eyes" else []
        worker.send(process, json.dumps({"convert": arguments, "half": half}))
        status, last = worker.follow(process, lambda line: _report(line, what, on_step))
    if status != 0 or not target.is_file():
        weights = sum(file.stat().st_size for file in model.glob("*.safetensors"))
        raise full_disk_of(target, weights) or InputError(_why(model, last))


def convert_eyes(converter: Path, model: Path, target: Path, family: str, metadata: Mapping[str, Any], on_step: OnStep) -> None:
    """Writes the `mmproj` file of a vision-language model in F16, by a converter of its own.

    InputError, which says how to do without, where the converter knows no such tower or fails.
    """
    try:
        with waiting_converter(converter) as process:
            run_converter(process, model, target, "F16", metadata, on_step, "eyes")
    except InputError as error:
        raise no_converter(family, str(error)) from None


def no_converter(family: str, reason: str = "") -> InputError:
    """Why a family's `mmproj` file can't be made here, and what to do."""
    problem = f"llama.cpp's converter makes no mmproj file of {family}'s eyes"
    return InputError(
        f"{problem}: {reason}" if reason else problem,
        remedy="a child has its base's eyes: give the base's published mmproj file with --mmproj FILE",
    )


def _report(line: str, what: str, on_step: OnStep) -> None:
    share = _SHARE.match(line)
    if share is not None:
        on_step(ExportStep(what, int(share[1]) / 100))


def _why(model: Path, last: Sequence[str]) -> str:
    output = "\n".join(last)
    unsupported = _UNSUPPORTED.search(output)
    if unsupported is not None:
        return (
            f"{model / 'config.json'}: llama.cpp's converter doesn't know the architecture {unsupported[1]}: "
            "use a newer llama.cpp with --converter DIR"
        )
    if "BPE pre-tokenizer was not recognized" in output:
        return (
            f"{model / 'tokenizer.json'}: llama.cpp's converter doesn't know this tokenizer's way of splitting text: "
            "use the original model's tokenizer files, or a newer llama.cpp with --converter DIR"
        )
    refused = refused_line(last)
    if refused is not None:
        return f"{model}: llama.cpp's converter was stopped: {refused}; export another model"
    lines = [line for line in last if not _SHARE.match(line)]
    expected = next((line.strip() for line in reversed(lines) if line.strip().startswith("assert ")), None)
    if lines and lines[-1].startswith("AssertionError") and expected is not None:
        return (
            f"{model}: llama.cpp's converter expects `{expected.removeprefix('assert ')}`, which this model isn't: "
            f"compare its config.json with its tokenizer, as `evomerge-tui inspect` does"
        )
    return f"{model}: llama.cpp's converter failed: {lines[-1] if lines else 'it gave no reason'}"
