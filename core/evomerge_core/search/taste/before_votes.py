"""What is thought of strengths before any vote: candidates whose genomes are near each other are liked about alike.

Strengths are normal with mean 0. Their covariance has a smooth part, a function of the distance between genomes (a squared
exponential, Rasmussen and Williams 2006, equation 4.9, as for preferences in Chu and Ghahramani 2005), and a part of each one's
own. How smooth a taste is nobody knows beforehand, nor whether an answer to a prompt says much about other prompts: a few
answers to both are weighed by how well they foretell the votes (`bradley_terry.strengths`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The deviation of strengths that have nothing to do with genomes: of two drawn at random the better is preferred about 7 times
# in 10. More makes one unlucky vote count too much: chosen by `tests/benchmarks/taste_votes.py`.
SPREAD = 0.75
# How much liking for an answer to one prompt deviates from that for the candidate's answers altogether: the variance of the
# deviation as a multiple of the strengths'.
_OF_PROMPTS = (0.0, 1.0, 3.0)
_NOTHING = (0.0,)


class _Shape(NamedTuple):
    """The deviation of the smooth part, how far it reaches in typical distances between genomes, and that of the own part."""

    smooth: float
    reach: float
    own: float


_SHAPES = (_Shape(0.0, 1.0, SPREAD), _Shape(1.5, 0.7, 0.3), _Shape(3.0, 1.2, 0.3))


@dataclass(frozen=True, eq=False)
class Before:
    """A thought before any vote: the strengths' `covariance` [candidates, candidates], and how often that the covariance of
    what is special to a prompt is."""

    covariance: Floats
    of_prompts: float = 0.0


def independent(count: int, spread: float = SPREAD, of_prompts: float = 0.0) -> Before:
    """Nobody's strength says anything about another's."""
    return Before(spread**2 * np.eye(count), of_prompts)


def thoughts(places: Floats, *, other_prompts: bool) -> list[Before]:
    """What may be so, of candidates at these `places` [candidates, numbers], their genomes; rows of NaN where there is none.
    `other_prompts`: whether it is to hold for any prompt; else for those that were asked, taken together."""
    apart = _squared_distances(places)
    known = np.isfinite(apart) & (apart > 0.0)
    typical = float(apart[known].mean()) if known.any() else None
    shares = _OF_PROMPTS if other_prompts else _NOTHING
    shapes = _SHAPES if typical is not None else _SHAPES[:1]
    return [Before(_covariance(shape, apart, typical or 1.0), share) for shape in shapes for share in shares]


def _covariance(shape: _Shape, apart: Floats, typical: float) -> Floats:
    alike = np.where(np.isfinite(apart), np.exp(-0.5 * np.nan_to_num(apart) / (typical * shape.reach**2)), 0.0)
    np.fill_diagonal(alike, 1.0)
    return np.asarray(shape.smooth**2 * alike + shape.own**2 * np.eye(len(apart)))


def _squared_distances(places: Floats) -> Floats:
    """[candidates, candidates]; NaN where a place is unknown."""
    return np.asarray(((places[:, None, :] - places[None, :, :]) ** 2).sum(axis=2))
