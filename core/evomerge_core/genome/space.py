"""The search space: vectors of numbers to merge configurations and back, without loss.

Order of a vector: parameter by parameter as the method's signature has them; in each, source by source as the recipe
has them (one block for a parameter that all sources share); in each, group by group as in `groups`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evomerge_core.errors import InputError
from evomerge_core.files.fields import ParameterRange
from evomerge_core.genome.dimension import Dimension, Dimensions, Vector
from evomerge_core.genome.groups import Grouping, make_grouping
from evomerge_core.genome.spec import SearchSpace
from evomerge_core.merging.config import MergeConfig, Parameters, Scalar, Setting, Slice, SliceSource
from evomerge_core.methods.registry import get_method


@dataclass(frozen=True)
class _Block:
    """The dimensions of one parameter and source: one for each group. `source` is an index, None when shared."""

    parameter: str
    source: int | None
    limits: ParameterRange


@dataclass(frozen=True)
class Space(Dimensions):
    """Which numbers are evolved, and what a vector of them means. `tokenizer` is the model that gives it where that isn't the
    base."""

    base: str
    sources: tuple[str, ...]
    labels: tuple[str, ...]
    method: str
    takes_base: bool
    grouping: Grouping
    blocks: tuple[_Block, ...]
    fixed: Mapping[str, Scalar]
    seed: int
    tokenizer: str | None = None

    @cached_property
    def dimensions(self) -> tuple[Dimension, ...]:
        """What each number of a vector is."""
        return tuple(self._dimensions())

    def to_config(self, vector: Vector) -> MergeConfig:
        """The merge that a vector means; ValueError unless it has `dimension` finite numbers."""
        self.require_vector(vector)
        shared, own = self._settings([float(value) for value in vector])
        sources = tuple(SliceSource(model, None, own[index]) for index, model in enumerate(self.sources))
        return MergeConfig(
            method=self.method,
            slices=(Slice(sources),),
            base=self.base if self.takes_base else None,
            parameters=shared,
            tokenizer=self.tokenizer or ("base" if self.takes_base else self.base),
            seed=self.seed,
        )

    def to_vector(self, config: MergeConfig) -> Vector:
        """The vector that `to_config` makes this merge of; InputError when there is none."""
        try:
            vector = np.array(list(self._values(config)), dtype=np.float64)
            if self.to_config(vector) == config:
                return vector
        except (LookupError, ValueError, TypeError):
            pass
        raise InputError(
            "the merge is not from this search space: its models, groups or parameters differ", remedy="use its own recipe"
        )

    def uniform(self, weight: float) -> Vector:
        """All weights equal and whole task vectors (density as near to 1 as its range allows); the rest at its start.

        A space without weights gives its start.
        """
        return np.array([_uniform_value(dimension, weight) for dimension in self.dimensions])

    def _dimensions(self) -> Iterator[Dimension]:
        for block in self.blocks:
            label = None if block.source is None else self.labels[block.source]
            for group in self.grouping.names:
                yield Dimension(block.parameter, label, group, block.limits.low, block.limits.high, block.limits.start)

    def _settings(self, values: Sequence[float]) -> tuple[Parameters, tuple[Parameters, ...]]:
        """The parameters that all sources share, and each source's own."""
        shared: dict[str, tuple[Setting, ...]] = {name: (Setting((value,)),) for name, value in self.fixed.items()}
        own: tuple[dict[str, tuple[Setting, ...]], ...] = tuple({} for _ in self.sources)
        groups = len(self.grouping.names)
        for index, block in enumerate(self.blocks):
            settings = self._gradients(values[index * groups : (index + 1) * groups])
            (shared if block.source is None else own[block.source])[block.parameter] = settings
        return shared, own

    def _gradients(self, values: Sequence[float]) -> tuple[Setting, ...]:
        """One setting for each part: a number, or one number for each layer when there are several bands."""
        bands = self.grouping.bands
        settings = []
        for index, part in enumerate(self.grouping.parts):
            own = values[index * len(bands) : (index + 1) * len(bands)]
            spread = [value for value, (start, end) in zip(own, bands, strict=True) for _ in range(start, end)]
            settings.append(Setting(tuple(spread if len(bands) > 1 else own), part.filter))
        return tuple(settings)

    def _values(self, config: MergeConfig) -> Iterator[Scalar]:
        sources = config.slices[0].sources
        bands = self.grouping.bands
        for block in self.blocks:
            parameters = config.parameters if block.source is None else sources[block.source].parameters
            for setting in parameters[block.parameter]:
                yield from (setting.values[start] for start, _ in bands)


def _uniform_value(dimension: Dimension, weight: float) -> float:
    if dimension.parameter == "weight":
        return weight
    return min(dimension.high, max(dimension.low, 1.0)) if dimension.parameter == "density" else dimension.start


def make_space(
    searched: SearchSpace,
    base: str,
    sources: Mapping[str, str],
    layers: int,
    tensors: Sequence[str],
    seed: int = 0,
    tokenizer: str | None = None,
) -> Space:
    """The space of what is `searched` in merges of `base` with `sources` (references by label).

    The base has this many layers and these tensors (names as in its checkpoint); `seed` names the merges' random masks,
    `tokenizer` the model that gives the children's tokenizer (None: the base).
    InputError when the groups don't fit the model.
    """
    method = get_method(searched.method)
    blocks = tuple(
        _Block(parameter.name, source, searched.parameters[parameter.name])
        for parameter in method.parameters.values()
        if parameter.name in searched.parameters
        for source in (range(len(sources)) if parameter.per_source else (None,))
    )
    return Space(
        base=base,
        sources=tuple(sources.values()),
        labels=tuple(sources),
        method=method.name,
        takes_base=method.takes_base,
        grouping=make_grouping(searched.groups, layers, tensors, len(blocks)),
        blocks=blocks,
        fixed=searched.fixed,
        seed=seed,
        tokenizer=None if tokenizer == base else tokenizer,
    )
