"""What a vision-language model has besides its language part: tower, projector, and files for pictures."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from evomerge_core.sources.stored.weight_file import TensorFacts, WeightFile, with_names
from evomerge_core.sources.vision.layout import Layout

# Files that say how a picture becomes numbers, and where its tokens stand.
_PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json")
# transformers 5 leaves both out when it saves a tower that it read with them.
_VARYING = re.compile(r"^model\.|(?<=\.)vision_model\.|^vision_model\.")
_TOWER = re.compile(r"(^|\.)(vision_tower|vision_model|visual|vision_encoder|vision)\.")
_PROJECTOR = re.compile(r"(^|\.)(multi_modal_projector|mm_projector|connector|embed_vision|perceiver_resampler)\.")
_MERGER = re.compile(r"(^|\.)(merger|deepstack_merger_list)\.")


@dataclass(frozen=True, eq=False)
class Body:
    """The tensors beside the language part, by stored name, in the order of the files. `files` are all of the model's."""

    layout: Layout
    tensors: Mapping[str, WeightFile]
    files: tuple[WeightFile, ...]

    def facts(self, name: str) -> TensorFacts:
        """The stored shape and dtype of a tensor."""
        return self.tensors[name].facts[name]

    @property
    def tower(self) -> tuple[str, ...]:
        """The tensors that see: those of the vision tower without what leads from it to the language part."""
        return tuple(name for name in self.tensors if _TOWER.search(name) and not _MERGER.search(name))

    @property
    def projector(self) -> tuple[str, ...]:
        """What leads from the tower to the language part."""
        seeing = set(self.tower)
        return tuple(name for name in self.tensors if name not in seeing)

    def parameters(self, names: Sequence[str]) -> int:
        """How many numbers these tensors hold."""
        return sum(math.prod(self.facts(name).shape) for name in names)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor, by a name that doesn't depend on the version that saved it."""
        return {own: self.facts(name).shape for own, name in self.stored_names.items()}

    @property
    def stored_names(self) -> dict[str, str]:
        """What each tensor is called here, by a name that doesn't depend on the version that saved it."""
        return {_VARYING.sub("", name): name for name in self.tensors}

    def read(self, name: str) -> Tensor:
        """A tensor by its stored name."""
        return self.tensors[name].read(name)


def is_seeing(name: str) -> bool:
    """Whether a tensor or module is by its name a part of a tower, or of what leads from it to the language part."""
    return bool(_TOWER.search(name) or _PROJECTOR.search(name))


def split(files: Sequence[WeightFile], layout: Layout) -> tuple[list[WeightFile], Body]:
    """The language part's tensors, as files of a text model's names, and the body."""
    language: list[WeightFile] = []
    others: dict[str, WeightFile] = {}
    for file in files:
        named = {layout.text_name(stored): stored for stored in file.facts}
        own = {text: stored for text, stored in named.items() if text is not None}
        others |= {stored: file for stored in file.facts if layout.text_name(stored) is None}
        if own:
            language.append(with_names(file, own))
    return language, Body(layout, others, tuple(files))


def processor_files(folder: Path) -> list[Path]:
    """The files of a folder that say how a picture is read."""
    return [folder / name for name in _PROCESSOR_FILES if (folder / name).is_file()]
