"""The coherence guard: a child that repeats itself, changes language, never ends, or has forgotten how to speak ranks behind
sound ones, however well it scores.

What is normal comes from the parents: each of the four signs counts only where it is beyond what any parent shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evomerge_core.run.plan import RunPlan
from evomerge_core.run.statistics import wilson
from evomerge_core.run.store.records import NEUTRAL, ItemScore
from evomerge_core.run.store.store import Store
from evomerge_core.tasks.evaluator import Question
from evomerge_core.tasks.language.coherence import Signals, WrittenAnswer, home_languages, read_signals
from evomerge_core.tasks.language.detection import likeliest_language
from evomerge_core.tasks.language.neutral_texts import neutral_questions

# A rate is beyond the parents' when a child as bad as the worst parent may be would show it by chance as rarely as this.
ERROR = 0.01
# Nats per token above the worst parent: neutral text 4.5 times as surprising. Children that adapters pull hard, and that
# answer in whole sentences, were seen up to 0.8 above; those that answer in scraps from 1.9.
DRIFT = 1.5
_LOOKED_AT = 50  # items whose language says what the task is written in


@dataclass(frozen=True)
class Guard:
    """What the parents show: by task, the languages that they answer in; each parent's signals; by neutral text, the losses
    of all parents (mean negative log-likelihood per token in nats)."""

    languages: Mapping[str, frozenset[str]]
    parents: tuple[Signals, ...]
    losses: Mapping[tuple[str, str], tuple[float, ...]]


def questions(plan: RunPlan) -> dict[tuple[str, str], Question]:
    """The neutral texts of the languages that the tasks ask, answer or want to be answered in, and of English."""
    if not plan.coherence:
        return {}
    found = {"en", *(task.language for task in plan.tasks)}
    for task in plan.tasks:
        some = [asked for asked in plan.asked["search"] if asked.task is task][:_LOOKED_AT]
        for text in (" ".join(task.plain_prompt(a.item) for a in some), " ".join(a.question.gold for a in some)):
            found.add(likeliest_language(text) or "en")
    return neutral_questions(found)


def make_guard(plan: RunPlan, store: Store) -> Guard | None:
    """The guard of a run whose parents were scored on the search's items; None when it is off or no parent could be."""
    if not plan.coherence:
        return None
    parents = store.candidates("parent")
    answers = [items for c in parents if (items := store.item_scores(c.id, "search", plan.precision))]
    if not answers:
        return None
    languages = {task.name: _languages(task.name, task.language, answers) for task in plan.tasks}
    losses: dict[tuple[str, str], tuple[float, ...]] = {}
    for parent in parents:
        for key, loss in _losses(store.item_scores(parent.id, NEUTRAL, plan.precision)).items():
            losses[key] = (*losses.get(key, ()), loss)
    return Guard(languages, tuple(_signals(items, languages) for items in answers), losses)


def objection(guard: Guard, items: Sequence[ItemScore], neutral: Sequence[ItemScore]) -> str | None:
    """Why a candidate with these answers and losses is incoherent; None when it is sound."""
    child = _signals(items, guard.languages)
    for what, count, of, normal in (
        ("repeat themselves", child.repeating, child.answers, [(p.repeating, p.answers) for p in guard.parents]),
        ("are in a foreign language", child.foreign, child.worded, [(p.foreign, p.worded) for p in guard.parents]),
        ("never end", child.unfinished, child.answers, [(p.unfinished, p.answers) for p in guard.parents]),
    ):
        worst = max(wilson(*pair)[1] for pair in normal)
        if _chance(count, of, worst) < ERROR:
            return f"{count} of {of} answers {what} (parents at most {worst:.0%})"
    drift, normal_drift = _drift(guard, _losses(neutral))
    if drift > normal_drift + DRIFT:
        bound = f"(parents at most {normal_drift:.1f})"
        return f"neutral text is {drift:.1f} nats per token less likely than for the best parent {bound}"
    return None


def _languages(task: str, wanted: str, answers: Sequence[Sequence[ItemScore]]) -> frozenset[str]:
    """The languages that the parents answer a task in, and the one that it wants."""
    spoken = [home_languages(_said(item) for item in items if item.task == task) for items in answers]
    return frozenset({wanted} if wanted else set()).union(*spoken)


def _signals(items: Sequence[ItemScore], languages: Mapping[str, frozenset[str]]) -> Signals:
    """The signals of written answers; tasks that rate choices have none."""
    found = [
        read_signals([_said(i) for i in items if i.task == task and i.tokens], spoken) for task, spoken in languages.items()
    ]
    return Signals(
        answers=sum(signals.answers for signals in found),
        repeating=sum(signals.repeating for signals in found),
        unfinished=sum(signals.unfinished for signals in found),
        worded=sum(signals.worded for signals in found),
        foreign=sum(signals.foreign for signals in found),
    )


def _said(item: ItemScore) -> WrittenAnswer:
    return WrittenAnswer(item.answer, item.truncated)


def _losses(neutral: Sequence[ItemScore]) -> dict[tuple[str, str], float]:
    return {(score.task, score.item): score.loss for score in neutral if score.loss is not None}


def _drift(guard: Guard, losses: Mapping[tuple[str, str], float]) -> tuple[float, float]:
    """How much less likely neutral texts are than to the parent that each suits best, in nats per token, averaged over the
    texts: to the candidate, and to the worst parent."""
    texts = [key for key in losses if key in guard.losses]
    if not texts:
        return 0.0, 0.0
    best = [min(guard.losses[key]) for key in texts]
    parents = [
        sum(of_parent) / len(texts) - sum(best) / len(texts)
        for of_parent in zip(*(guard.losses[key] for key in texts), strict=True)
    ]
    return sum(losses[key] for key in texts) / len(texts) - sum(best) / len(texts), max(parents)


def _chance(count: int, of: int, rate: float) -> float:
    """How likely `count` or more of `of` are at a rate."""
    from scipy.stats import binom

    return float(binom.sf(count - 1, of, rate)) if count else 1.0
