"""Strengths by votes between two, with their uncertainty (Bradley and Terry 1952).

An answer of strength a is preferred to one of strength b with the probability 1 / (1 + exp(b - a)). A tie is half a vote for
each. To say what holds for prompts that nobody has voted on, an answer's strength is the candidate's plus what is special to
the prompt, so that many votes on one prompt say less about others than votes on many. Both are normal around 0 before any vote,
so that few votes say little, and who has none is average, unless others with genomes near its own have some (`before_votes`).
Their posterior is normal around its mode, with the inverse of the curvature there as covariance (Laplace's approximation, in
the votes' space: Rasmussen and Williams 2006, algorithms 3.1 and 3.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from evomerge_core.search.taste.before_votes import Before, Floats, thoughts

_STEPS = 50
_SMALL = 1e-10


@dataclass(frozen=True)
class Preference:
    """A vote between two, by their places: `share` is 1 where the first is better, 0 where the second is, 0.5 for a tie.
    `prompt` is the number of the one that was answered."""

    first: int
    second: int
    share: float
    prompt: int = 0


@dataclass(frozen=True, eq=False)
class Strengths:
    """The posterior of everybody's strength on the whole, not on one prompt: `mean` [candidates] and `covariance`
    [candidates, candidates]."""

    mean: Floats
    covariance: Floats

    def above(self, first: int, second: int) -> float:
        """How sure it is that the first is better than the second, 0..1; a half of two that are the same."""
        apart = float(self.mean[first] - self.mean[second])
        variance = _variance(self.covariance, first, second)
        return NormalDist().cdf(apart / variance**0.5) if variance > _SMALL else 0.5

    def values(self) -> Floats:
        """The chance that each is preferred to one of average strength, 0..1 [candidates]; uncertainty draws it towards a half
        (MacKay 1992, equation 10)."""
        return sigmoid(self.mean / np.sqrt(1.0 + np.pi / 8.0 * np.diag(self.covariance)))


@dataclass(frozen=True, eq=False)
class Posterior:
    """What votes make of one thought before them; `evidence` is the logarithm of the votes' probability by it."""

    strengths: Strengths
    evidence: float


def strengths(places: Floats, votes: Sequence[Preference], *, other_prompts: bool = False) -> Strengths:
    """The posterior of the strengths of candidates whose genomes are `places` [candidates, numbers], NaN where unknown: mean
    and covariance of a mixture, in which every thought before the votes counts by how well it foretold them.

    `other_prompts`: their strengths on any prompt, of which those that were voted on are a few; else on these few.
    """
    found = [posterior(before, votes) for before in thoughts(places, other_prompts=other_prompts)]
    evidence = np.array([one.evidence for one in found])
    weights = np.exp(evidence - evidence.max())
    weights = weights / weights.sum()
    means = np.array([one.strengths.mean for one in found])
    mean = weights @ means
    covariance = np.tensordot(weights, np.array([one.strengths.covariance for one in found]), axes=1)
    return Strengths(mean, np.asarray(covariance + (means - mean).T @ (weights[:, None] * (means - mean))))


def posterior(before: Before, votes: Sequence[Preference]) -> Posterior:
    """The posterior by one thought before the votes, by Newton's method; its logarithm is concave."""
    first = np.array([vote.first for vote in votes], dtype=np.int64)
    second = np.array([vote.second for vote in votes], dtype=np.int64)
    share = np.array([vote.share for vote in votes], dtype=np.float64)
    prompt = np.array([vote.prompt for vote in votes], dtype=np.int64)
    of_votes = before.covariance[first] - before.covariance[second]  # [votes, candidates]
    same = 1.0 + before.of_prompts * (prompt[:, None] == prompt[None, :])
    kernel = (of_votes[:, first] - of_votes[:, second]) * same
    apart = np.zeros(len(votes))
    for _ in range(_STEPS):
        expected = sigmoid(apart)
        weight = expected * (1.0 - expected)
        root, slope = np.sqrt(weight), weight * apart + share - expected
        within = root * np.linalg.solve(_inner(kernel, root), root * (kernel @ slope))
        step = kernel @ (slope - within) - apart
        longest = float(np.abs(step).max(initial=0.0))
        # a longer step could leave the region where the curvature is that of the mode
        apart = apart + step / max(1.0, longest)
        if longest < _SMALL:
            break
    expected = sigmoid(apart)
    root = np.sqrt(expected * (1.0 - expected))
    inner, seen = _inner(kernel, root), root[:, None] * of_votes
    covariance = before.covariance - seen.T @ np.linalg.solve(inner, seen)
    told = share @ np.log(expected) + (1.0 - share) @ np.log1p(-expected) - 0.5 * apart @ (share - expected)
    evidence = float(told - 0.5 * np.linalg.slogdet(inner)[1])
    return Posterior(Strengths(of_votes.T @ (share - expected), np.asarray(0.5 * (covariance + covariance.T))), evidence)


def sigmoid(apart: Floats) -> Floats:
    """1 / (1 + exp(-apart))."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * apart)))


def _inner(kernel: Floats, root: Floats) -> Floats:
    """The matrix of algorithm 3.1 that is well-conditioned whatever the votes, [votes, votes]."""
    return np.asarray(np.eye(len(root)) + root[:, None] * kernel * root[None, :])


def _variance(covariance: Floats, first: int, second: int) -> float:
    return float(covariance[first, first] + covariance[second, second] - 2.0 * covariance[first, second])
