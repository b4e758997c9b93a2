"""A vision-language model as llama.cpp's converter takes it: one half at a time, under the names that it knows.

The converter makes a GGUF of the language part, and another (`mmproj`) of tower and projector. It looks for tensors under the
names that each family was published with, and transformers has saved the same model under others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from evomerge_core.files.json_file import read_json
from evomerge_core.sources.vision.layout import Layout, find_layout

Half = Literal["language", "eyes"]
# A stored name -> the converter's; None for a tensor of the other half.
Rename = Callable[[str], str | None]
_INDEX = "model.safetensors.index.json"
_TOWER, _INSIDE = "vision_tower.", "vision_model."
_BEFORE = "model."


def show_half(view: Path, half: Half) -> None:
    """Has this process's converter see one half of the model in `view`, whose settings are files of its own.

    Call it in a process of its own, because it changes a class. A text model is left as it is.
    """
    config = read_json(view / "config.json")
    if "vision_config" not in config:
        return
    from gguf import utility

    reader: Any = utility.SafetensorsLocal
    files = sorted(view.glob("*.safetensors"))
    layout = find_layout(config, (name for file in files for name in reader(file).tensors))
    if layout is None:
        return
    rename: Rename = layout.text_name if half == "language" else lambda name: eyes_name(name, layout, config)
    read = reader.__init__

    def read_renamed(self: Any, path: Path) -> None:
        read(self, path)
        self.tensors = _renamed(self.tensors, rename)

    reader.__init__ = read_renamed
    _write_index(view / _INDEX, rename)
    if half == "language":
        (view / "config.json").write_text(json.dumps(_with_text_class(config), ensure_ascii=False), encoding="utf-8")


def eyes_name(stored: str, layout: Layout, config: Mapping[str, Any]) -> str | None:
    """What the converter calls a tensor of tower or projector; None for one of the language part."""
    if layout.text_name(stored) is not None:
        return None
    if str(config.get("model_type")).startswith("qwen"):
        return stored.removeprefix(_BEFORE)
    if config.get("model_type") in ("smolvlm", "idefics3"):
        return stored
    name = stored.removeprefix(_BEFORE)
    inner = name.removeprefix(_TOWER)
    return name if inner == name or inner.startswith(_INSIDE) else f"{_TOWER}{_INSIDE}{inner}"


def _renamed(tensors: Mapping[str, Any], rename: Rename) -> dict[str, Any]:
    named: Iterable[tuple[str | None, Any]] = ((rename(stored), tensor) for stored, tensor in tensors.items())
    return dict(sorted((name, tensor) for name, tensor in named if name is not None))


def _write_index(path: Path, rename: Rename) -> None:
    """The view has a link to the model's own index, which the converter compares with what the files hold."""
    if not path.is_file():
        return
    index = read_json(path)
    path.unlink()
    path.write_text(json.dumps({**index, "weight_map": _renamed(index.get("weight_map") or {}, rename)}), encoding="utf-8")


def _with_text_class(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with the class of the language part, where that is an ordinary text model: the converter goes by it.

    The others are converted by the class of the whole, which writes how positions of pictures are read.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CLASSES

    text = config.get("text_config")
    if not isinstance(text, Mapping) or text.get("model_type") not in CLASSES:
        return dict(config)
    return {**config, "text_config": {**text, "architectures": [CLASSES[text["model_type"]]]}}
