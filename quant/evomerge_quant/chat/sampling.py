"""How the next token is chosen."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from evomerge_core.errors import InputError
from evomerge_quant.llama.context import LlamaContext
from evomerge_quant.llama.model import LlamaModel

# Tokens that the repeat penalty looks back on.
_LOOK_BACK = 64
_LIMITS: Mapping[str, tuple[float, float]] = {
    "temperature": (0.0, 10.0),
    "top_p": (0.0, 1.0),
    "top_k": (0, 2**31 - 1),
    "min_p": (0.0, 1.0),
    "repeat_penalty": (0.01, 10.0),
    "max_tokens": (1, 2**31 - 1),
    "seed": (0, 2**32 - 2),
}
# Where a GGUF recommends settings for its model (llama.cpp's own keys).
_KEYS = {
    "temperature": "general.sampling.temp",
    "top_p": "general.sampling.top_p",
    "top_k": "general.sampling.top_k",
    "min_p": "general.sampling.min_p",
    "repeat_penalty": "general.sampling.penalty_repeat",
}


# Settings that go together: for facts and code, for conversation, for stories. What they leave out stays as it is.
PRESETS: Mapping[str, Mapping[str, float]] = {
    "precise": {"temperature": 0.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0},
    "balanced": {"temperature": 0.7, "top_p": 0.95, "top_k": 40, "min_p": 0.05, "repeat_penalty": 1.0},
    "creative": {"temperature": 1.1, "top_p": 1.0, "top_k": 0, "min_p": 0.05, "repeat_penalty": 1.05},
}


@dataclass(frozen=True)
class Sampling:
    """Settings of one answer. `temperature` 0 is greedy; `top_k` 0, `top_p` 1, `min_p` 0 and `repeat_penalty` 1 are off.

    `max_tokens` ends an answer; `seed` None draws a new seed each time. InputError for a value out of range.
    """

    temperature: float = 0.7
    top_p: float = 0.95
    top_k: int = 40
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    max_tokens: int = 1024
    seed: int | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InputError(f"{name} {value:g}: must be between {low:g} and {high:g}")

    def changed(self, **values: Any) -> Self:
        """With the values that are given; None leaves one as it is. InputError for a name that is not a setting."""
        known = {field.name for field in fields(self)}
        for name in values:
            if name not in known:
                raise InputError(f"{name}: is not a setting; the settings are {', '.join(sorted(known))}")
        return replace(self, **{name: value for name, value in values.items() if value is not None})


def file_sampling(model: LlamaModel) -> Sampling:
    """The defaults, with what the file itself recommends."""
    recommended: dict[str, Any] = {}
    for name, key in _KEYS.items():
        try:
            value = float(model.metadata[key])
        except (KeyError, ValueError):
            continue
        recommended[name] = int(value) if name == "top_k" else value
    return Sampling().changed(**recommended)


class Sampler:
    """llama.cpp's samplers in a row, as its own tools order them. Close it, or use it in a `with`."""

    def __init__(self, model: LlamaModel, sampling: Sampling) -> None:
        self._library = library = model.library
        self._chain = library.llama_sampler_chain_init(library.llama_sampler_chain_default_params())
        if sampling.repeat_penalty != 1.0:
            penalties = library.llama_sampler_init_penalties(
                model.vocabulary_size, _LOOK_BACK, sampling.repeat_penalty, 0.0, 0.0
            )
            self._add(penalties)
        if sampling.temperature == 0:
            self._add(library.llama_sampler_init_greedy())
            return
        if sampling.top_k:
            self._add(library.llama_sampler_init_top_k(sampling.top_k))
        self._add(library.llama_sampler_init_top_p(sampling.top_p, 1))
        self._add(library.llama_sampler_init_min_p(sampling.min_p, 1))
        self._add(library.llama_sampler_init_temp(sampling.temperature))
        seed = random.randrange(2**32 - 1) if sampling.seed is None else sampling.seed
        self._add(library.llama_sampler_init_dist(seed))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees the samplers."""
        if self._chain is not None:
            self._library.llama_sampler_free(self._chain)
            self._chain = None

    def choose(self, context: LlamaContext) -> int:
        """The next token, from the last logits that the context computed."""
        return int(self._library.llama_sampler_sample(self._chain, context.handle, -1))

    def _add(self, sampler: Any) -> None:
        self._library.llama_sampler_chain_add(self._chain, sampler)
