"""Puts an exported file where a runner finds it, and says which command comes next."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evomerge_core.files.durable import write_whole
from evomerge_quant.gguf.runners.chat_format import read_chat_format
from evomerge_quant.gguf.runners.ollama import modelfile
from evomerge_quant.gguf.subject.naming import ModelName

Runner = Literal["ollama", "lmstudio", "koboldcpp", "jan"]
PUBLISHER = "evomerge"
_LM_STUDIO = (Path(".lmstudio/models"), Path(".cache/lm-studio/models"))  # today's place, and the one before it


@dataclass(frozen=True)
class Handover:
    """What was written beside the GGUF, and what the user types or clicks next."""

    runner: Runner
    files: tuple[Path, ...]
    next: str

    def to_json(self) -> dict[str, object]:
        return {"runner": self.runner, "files": [str(file) for file in self.files], "next": self.next}


def place_for(runner: Runner | None, out: Path | None, name: ModelName) -> Path | None:
    """Where the files go for a runner: LM Studio wants PUBLISHER/MODEL/ in its models folder (`out`, or its own)."""
    if runner != "lmstudio" or (out is not None and out.suffix == ".gguf"):
        return out
    models = out or next((place for place in _lm_studio_folders() if place.is_dir()), _lm_studio_folders()[0])
    return models / PUBLISHER / name.stem


def require_handover(runner: Runner | None, model: Path) -> None:
    """InputError, before anything is converted, when the runner can't use the model."""
    if runner == "ollama":
        read_chat_format(model)


def hand_over(runner: Runner, gguf: Path, model: Path, name: ModelName, mmproj: Path | None = None) -> Handover:
    """Writes what the runner needs beside the file; `mmproj` is what a vision-language model sees with, in the same folder."""
    if runner == "ollama":
        path = gguf.with_name(f"{gguf.stem}.Modelfile")
        write_whole(path, modelfile(gguf, model, mmproj))
        called = f"{name.stem}:{gguf.stem.removeprefix(name.stem).strip('-') or 'latest'}".lower()
        return Handover(runner, (path,), f"ollama create {called} -f {shlex.quote(str(path))} && ollama run {called}")
    if runner == "lmstudio":
        return Handover(runner, (), f"`lms load`, and choose {PUBLISHER}/{name.stem}")
    if runner == "koboldcpp":
        seeing = f" --mmproj {shlex.quote(str(mmproj))}" if mmproj else ""
        return Handover(runner, (), f"koboldcpp --model {shlex.quote(str(gguf))}{seeing} --jinja")
    seeing = f" and {mmproj}" if mmproj else ""
    return Handover(runner, (), f"in Jan: Settings, Model Providers, Llama.cpp, Import, and choose {gguf}{seeing}")


def _lm_studio_folders() -> list[Path]:
    return [Path.home() / place for place in _LM_STUDIO]
