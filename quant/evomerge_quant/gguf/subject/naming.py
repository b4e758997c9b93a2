"""What an exported model and its file are called: ggml's convention, Base-Size-FineTune-vX.Y-Encoding.gguf.

(ggml docs/gguf.md, "GGUF Naming Convention": the size is rounded, a missing version means v1.0.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from evomerge_quant.llama.mmproj_file import MMPROJ

_SIZE = re.compile(r"(\d+x)?\d+([._]\d+)?[KMBT]", re.IGNORECASE)
_VERSION = re.compile(r"v\d+(\.\d+)*", re.IGNORECASE)
_PHI = re.compile(r"phi[- ]?3", re.IGNORECASE)


@dataclass(frozen=True)
class ModelName:
    """`base`: what the model descends from; `size`: its weights, rounded (`135M`); `finetune`: what was made of it.

    `phi3`: whether its special tokens swallow the white space after them, as Phi-3's do.
    """

    base: str
    size: str
    finetune: str
    version: str = "v1.0"
    phi3: bool = False

    @property
    def stem(self) -> str:
        """The file's name without encoding and ending."""
        return "-".join(part for part in (self.base, self.size, self.finetune, self.version) if part)

    @property
    def title(self) -> str:
        """The model's name for people, general.name.

        llama.cpp takes tokens in Phi-3's way exactly where it contains phi-3 or phi3; other families don't load then.
        """
        title = " ".join(part.replace("-", " ") for part in (self.base, self.size, self.finetune) if part)
        spelled = _PHI.sub("Phi-3" if self.phi3 else "Phi 3", title)
        return f"{spelled} (Phi-3)" if self.phi3 and "Phi-3" not in spelled else spelled

    def file_name(self, encoding: str) -> str:
        return f"{self.stem}-{encoding}.gguf"

    def mmproj_name(self, encoding: str) -> str:
        """The name of the file that it sees with, as llama.cpp and LM Studio look for it."""
        return f"{MMPROJ}-{self.stem}-{encoding}.gguf" if encoding else f"{MMPROJ}-{self.stem}.gguf"

    def metadata(self) -> dict[str, Any]:
        """The same as keys of a GGUF."""
        keys = {"name": self.title, "basename": self.base, "size_label": self.size, "finetune": self.finetune}
        return {f"general.{key}": value for key, value in keys.items() if value} | {"general.version": self.version}


def name_model(public_name: str, parameters: int, *, made: str = "", phi3: bool = False) -> ModelName:
    """The name of a model of so many weights, from `owner/name` or a folder's name; `made` says what was made of it here."""
    from gguf import size_label

    parts = [part for part in public_name.rpartition("/")[2].split("-") if part]
    size = next((index for index, part in enumerate(parts) if index and _SIZE.fullmatch(part)), None)
    version = next((part.lower() for part in parts if _VERSION.fullmatch(part)), "v1.0")
    words = [part for index, part in enumerate(parts) if index != size and not _VERSION.fullmatch(part)]
    ahead = len(words) if size is None else sum(not _VERSION.fullmatch(part) for part in parts[:size])
    base, rest = words[:ahead], words[ahead:]
    return ModelName(
        base=_clean("-".join(base)) or "model",
        size=size_label(parameters, 0, 0, 0),
        finetune=_clean(made or "-".join(rest)).replace(".", "-"),
        version="v1.0" if made else version,
        phi3=phi3,
    )


def _clean(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")
