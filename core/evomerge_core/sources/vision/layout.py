"""Where a vision-language model stores its language part: told by the stored names, never by the class.

The same model is stored under other names by other versions of transformers. A text model's own names are `model.` and
`lm_head.`, whatever the layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_TEXT_MODEL, _TEXT_HEAD = "model.", "lm_head."
_HEADS = (_TEXT_HEAD, "language_model.lm_head.")
# What the decoder's names begin with, and the head's where none is stored; the first that fits counts.
_LAYOUTS = (
    ("model.language_model.", _TEXT_HEAD),  # Qwen3-VL, LFM2-VL, and others as transformers 4.52 to 4.57 saved them
    ("model.text_model.", _TEXT_HEAD),  # SmolVLM, Idefics3
    ("language_model.model.", "language_model.lm_head."),  # LLaVA, Gemma 3, InternVL
    (_TEXT_MODEL, _TEXT_HEAD),  # Qwen2-VL, Qwen2.5-VL
)


@dataclass(frozen=True)
class Layout:
    """What the stored names of the decoder and of the head begin with."""

    model: str
    head: str

    def text_name(self, stored: str) -> str | None:
        """What a text model calls a stored tensor; None for one that is no part of the language model."""
        for own, text in ((self.model, _TEXT_MODEL), (self.head, _TEXT_HEAD)):
            if stored.startswith(own):
                return text + stored.removeprefix(own)
        return None

    def stored_name(self, name: str) -> str:
        """What a text model's tensor is called here."""
        if name.startswith(_TEXT_HEAD):
            return self.head + name.removeprefix(_TEXT_HEAD)
        return self.model + name.removeprefix(_TEXT_MODEL)


def find_layout(config: Mapping[str, Any], names: Iterable[str]) -> Layout | None:
    """The layout of a vision-language model; None for any other model, and for one whose language part isn't found."""
    if not isinstance(config.get("vision_config"), Mapping):
        return None
    names = tuple(names)
    for model, usual_head in _LAYOUTS:
        if any(name.startswith(f"{model}layers.") for name in names):
            head = next((head for head in _HEADS if any(name.startswith(head) for name in names)), usual_head)
            return Layout(model, head)
    return None


def text_names(name: str) -> tuple[str, ...]:
    """What a text model may call a tensor of a language part that is named in any of the layouts."""
    found = (Layout(model, head).text_name(name) for model, head in _LAYOUTS)
    return tuple(text for text in found if text is not None)
