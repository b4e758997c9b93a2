"""What a run's candidates are scored in where the recipe leaves it open: the cheapest precision that ranks like what ships.

What ships is bf16, so it ranks right by definition. It is also the fastest: a CPU multiplies in float32 whatever the weights
are held in, and a card unpacks fewer bits before it multiplies. Fewer bits save memory and nothing else. So bf16 comes first;
where it does not fit come 8 bits, then 5, and 4 only where those do not fit either: the fewer, the more the weights change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evomerge_core.recipe.schema import FEW_BITS, SHIPPED, EvaluationSettings, Precision, Recipe
from evomerge_core.sources.source import Source


@dataclass(frozen=True)
class PrecisionChoice:
    """The precision that `auto` stands for in a run, and why."""

    precision: Precision
    reason: str

    @property
    def sentence(self) -> str:
        """`int8: bf16 needs 14.9 GB, 7.6 GB are free`."""
        return f"{self.precision}: {self.reason}"


# Chooses for a recipe whose base is open; only what measures the memory can know what fits.
ChoosePrecision = Callable[[Recipe, Source], PrecisionChoice]


def as_shipped(_recipe: Recipe, _base: Source) -> PrecisionChoice:
    """What ships, for whoever knows nothing of the memory."""
    return PrecisionChoice(SHIPPED, "it is what ships")


def with_precision(recipe: Recipe, precision: Precision) -> Recipe:
    """The recipe with a precision in place of `auto`; what has no effect beside it is left out."""
    settings = recipe.evaluation
    confirm = tuple(other for other in settings.confirm if other != precision)
    agreement = settings.agreement or precision not in FEW_BITS
    changes = {"precision": precision, "confirm": confirm, "agreement": agreement}
    return recipe.model_copy(update={"evaluation": settings.model_copy(update=changes)})


def search_precision(settings: EvaluationSettings) -> Precision:
    """The precision of the search. ValueError for `auto`, which must have been chosen before."""
    if settings.precision == "auto":
        raise ValueError("the precision has not been chosen yet")
    return settings.precision
