"""A number as a smooth function of the genome: the mean of a Gaussian process.

Source: Rasmussen and Williams 2006, chapters 2 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from replay.matrix import Numbers

# What is assumed of the kernel beforehand, as normal distributions of logarithms: lengths of about half the range, and of the
# values' variation a third that no smooth function explains.
_LENGTH, _LENGTH_SPREAD = np.log(0.5), 0.7
_ROUGH, _SPREAD = np.log(0.3), 1.0


@dataclass(frozen=True)
class Surface:
    """`points` [known, numbers], `lengths` [numbers] in the genome's own units; `strengths` [known] say how each known point
    pulls. `foresight` is the correlation of each value with what the others alone foretell."""

    points: Numbers
    lengths: Numbers
    strengths: Numbers
    mean: float
    foresight: float

    def __call__(self, genomes: Numbers) -> Numbers:
        """The values at `genomes` [many, numbers]."""
        return self.mean + _likeness(genomes / self.lengths, self.points / self.lengths) @ self.strengths


def fit_surface(genomes: Numbers, values: Numbers, errors: Numbers, width: Numbers) -> Surface:
    """The surface through `values` [known] with standard `errors`; `width` [numbers] is the range of the genome's numbers."""
    mean, size = float(values.mean()), float(values.std()) or 1.0
    rest, unit = values - mean, genomes / width

    def kernel(numbers: Numbers) -> Numbers:
        signal, rough = np.exp(2 * numbers[:2]) * size**2
        scaled = unit / np.exp(numbers[2:])
        return signal * _likeness(scaled, scaled) + np.diag(errors**2 + rough + 1e-8 * size**2)

    def cost(numbers: Numbers) -> float:
        factor = cho_factor(kernel(numbers), lower=True)
        fit = 0.5 * rest @ cho_solve(factor, rest) + np.log(np.diag(factor[0])).sum()
        assumed = (numbers - assumed_mean) / assumed_spread
        return float(fit + 0.5 * (assumed**2).sum())

    count = genomes.shape[1]
    assumed_mean = np.array([0.0, _ROUGH] + [_LENGTH] * count)
    assumed_spread = np.array([_SPREAD, _SPREAD] + [_LENGTH_SPREAD] * count)
    found = minimize(cost, assumed_mean, method="L-BFGS-B").x
    inverse = np.linalg.inv(kernel(found))
    left_out = rest - inverse @ rest / np.diag(inverse)
    strengths = np.exp(2 * found[0]) * size**2 * (inverse @ rest)
    foresight = float(np.corrcoef(left_out, rest)[0, 1])
    return Surface(genomes, np.exp(found[2:]) * width, strengths, mean, foresight)


def _likeness(one: Numbers, other: Numbers) -> Numbers:
    """exp(-d^2 / 2) of every pair, [one, other]."""
    apart = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    return np.asarray(np.exp(-0.5 * np.maximum(apart, 0.0)))
