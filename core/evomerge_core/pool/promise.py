"""What a set of models promises, by what each of them answers alone.

An item may need two skills at once: then no model alone is ever right, and the values of answers say nothing. Their parts do:
whether an answer is right whatever its language, and whether its language is right whatever it says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

# Of the worth of an item: what the likelihood of its correct answer may say beside its answers, to order equal ones.
_HINT = 0.01


@dataclass(frozen=True)
class ScoredAlone:
    """What each model answered alone, [models, items]: whether it was `right` (0..1) whatever the language, whether the
    `language` was right (0 or 1), and the correct answer's `loss` in nats per token (NaN where there is none).

    `weights` [items] are the items' shares of the score, which add up to 1.
    """

    right: Matrix
    language: Matrix
    loss: Matrix
    weights: NDArray[np.float64]

    def promise(self, some: Sequence[int]) -> float:
        """What a merge of some models would score if every skill that one of them has were all the merge's.

        Per item: the best right answer times the best language; ties are broken by the likeliest correct answer. The sum has
        no order, so that sets which promise the same do so on every machine.
        """
        rows = list(some)
        best = self.right[rows].max(axis=0) * self.language[rows].max(axis=0)
        loss = np.where(np.isnan(self.loss[rows]), np.inf, self.loss[rows]).min(axis=0)
        return math.fsum((self.weights * (best + _HINT / (1.0 + loss))).tolist())
