"""The gate of a race: a candidate that finds the correct answers far less likely than a parent does is broken, and writes
nothing.

It takes one pass over a few correct answers; a broken merge that writes keeps a batch busy until the token limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evomerge_core.run.candidate.scoring import Gate
from evomerge_core.run.plan import Asked, RunPlan
from evomerge_core.run.store.store import Store
from evomerge_core.run.timing.cost import CHARACTERS, gate_pays
from evomerge_core.search.racing.evidence import broken

# Nats per token above the best parent's. Log-likelihood doesn't rank good merges, it identifies broken ones: of the
# quickstart's kind of merges none beyond 1 nat ever gave a correct answer.
MARGIN = 1.0
GATE_ITEMS = 8


def gold_gate(plan: RunPlan, store: Store, asked: Sequence[Asked], error: float) -> Gate | None:
    """The gate of a race on `asked`; None where it would cost more than it saves, no parent's losses are known, or answers are
    chosen, not written."""
    parents = [(e.loss, c) for c in store.candidates("parent") if (e := store.evaluation(c.id, "search", plan.precision))]
    known = [(loss, parent.id, parent) for loss, parent in parents if loss is not None]
    some = tuple(a for a in asked if a.question.gold and not a.question.choices)[:GATE_ITEMS]
    if not known or not some or not pays(some):
        return None
    parent = min(known)[2]
    scores = store.item_scores(parent.id, "search", plan.precision)
    theirs = {(i.task, i.item): i.loss for i in scores if i.loss is not None}
    against = _Against(parent.label, tuple(theirs.get((a.task.name, a.item.id)) for a in some), error)
    return Gate(tuple(a.question for a in some), against)


@dataclass(frozen=True)
class _Against:
    """The objection of a gate: data, since it may be asked in another process. `theirs` are the losses of the `parent`."""

    parent: str
    theirs: tuple[float | None, ...]
    error: float

    def __call__(self, losses: Sequence[float | None]) -> str | None:
        pairs = [
            (loss, other) for loss, other in zip(losses, self.theirs, strict=True) if loss is not None and other is not None
        ]
        own, other = np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])
        if not broken(own, other, margin=MARGIN, error=self.error):
            return None
        return f"broken: correct answers are {(own - other).mean():.1f} nats per token less likely than for {self.parent}"


def pays(asked: Sequence[Asked]) -> bool:
    """Whether a gate of these items saves more than it costs."""
    read = sum(len(a.question.prompt) + len(a.question.gold) for a in asked) / CHARACTERS
    return gate_pays(read=read, most_written=max(a.question.max_new_tokens for a in asked))
