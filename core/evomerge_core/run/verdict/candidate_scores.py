"""A candidate's scores wherever it was scored, and where it wins and loses against another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evomerge_core.run.statistics import Paired, compare, interval
from evomerge_core.run.store.records import AGREEMENT, ItemScore
from evomerge_core.run.store.store import Store
from evomerge_core.tasks.items.split import SPLITS
from evomerge_core.tasks.taste import TASTE


@dataclass(frozen=True)
class SplitScore:
    """A score in 0..1 on one split in one precision, of one task or (task None) of all; its 95 % interval (None where votes are
    part of it, which are of candidates, not of items); shares of the answers that met the token limit or were in the wrong
    language. `failure` is the reason where there is no score."""

    split: str
    precision: str
    task: str | None
    items: int
    score: float | None
    interval: tuple[float, float] | None
    loss: float | None
    truncated: float
    wrong_language: float
    failure: str | None


@dataclass(frozen=True)
class Difference:
    """One item as two candidates answered it; `theirs` is None where the other wasn't asked it."""

    task: str
    item: str
    ours: ItemScore
    theirs: ItemScore | None

    @property
    def outcome(self) -> str:
        """won, lost, even, or not asked (of the other). Votes say who is better, not on which item: there all are even."""
        if self.theirs is None:
            return "not asked"
        if self.task == TASTE or self.ours.value == self.theirs.value:
            return "even"
        return "won" if self.ours.value > self.theirs.value else "lost"


def split_scores(store: Store, candidate: int, weights: Mapping[str, float]) -> list[SplitScore]:
    """Every score of a candidate: split by split, precision by precision, all tasks together and then each of several."""
    found = []
    for split, precision in store.scored_in(candidate):
        evaluation = store.evaluation(candidate, split, precision)
        assert evaluation is not None
        items = store.item_scores(candidate, split, precision)
        found.append(_score(split, precision, None, items, evaluation.score, evaluation.loss, weights, evaluation.failure))
        tasks = dict.fromkeys(item.task for item in items)
        for task in tasks if len(tasks) > 1 else ():
            own = [item for item in items if item.task == task]
            mean = sum(item.value for item in own) / len(own)
            losses = [item.loss for item in own if item.loss is not None]
            found.append(
                _score(split, precision, task, own, mean, sum(losses) / len(losses) if losses else None, {task: 1.0}, None)
            )
    return sorted(found, key=lambda score: (AGREEMENT, *SPLITS).index(score.split))


def differences(store: Store, ours: int, theirs: int, split: str, precision: str) -> list[Difference]:
    """The items of a split with both candidates' answers, in the store's order."""
    others = {(item.task, item.item): item for item in store.item_scores(theirs, split, precision)}
    return [
        Difference(item.task, item.item, item, others.get((item.task, item.item)))
        for item in store.item_scores(ours, split, precision)
    ]


def paired(found: Sequence[Difference], weights: Mapping[str, float]) -> Paired | None:
    """The paired test of the items that both were asked, as many as a race or a final asked of the one that left it first; None
    without any. Prompts of taste are no such items: each has what votes say of the candidate as a whole."""
    both = [(one.ours, one.theirs) for one in found if one.theirs is not None and one.task != TASTE]
    if not both:
        return None
    asked = {ours.task for ours, _ in both}
    some = {task: weight for task, weight in weights.items() if task in asked}
    return compare(weighted_values([ours for ours, _ in both], some), weighted_values([theirs for _, theirs in both], some))


def weighted_values(items: Sequence[ItemScore], weights: Mapping[str, float]) -> list[float]:
    """Values whose mean is the score weighted by task, for intervals and paired tests; with items of one task the plain values,
    0 and 1 where the scorer gives no others."""
    counts = Counter(i.task for i in items)
    weights = {task: weight for task, weight in weights.items() if task in counts}
    if len(weights) == 1:
        return [i.value for i in items]
    total = sum(weights.values())
    factor = {task: weight / total * len(items) / counts[task] for task, weight in weights.items()}
    return [i.value * factor[i.task] for i in items]


def _score(
    split: str,
    precision: str,
    task: str | None,
    items: Sequence[ItemScore],
    score: float | None,
    loss: float | None,
    weights: Mapping[str, float],
    failure: str | None,
) -> SplitScore:
    by_items = bool(items) and all(item.task != TASTE for item in items)
    return SplitScore(
        split=split,
        precision=precision,
        task=task,
        items=len(items),
        score=score,
        interval=interval(weighted_values(items, weights)) if by_items else None,
        loss=loss,
        truncated=sum(item.truncated for item in items) / max(1, len(items)),
        wrong_language=sum(not item.language_ok for item in items) / max(1, len(items)),
        failure=failure,
    )
