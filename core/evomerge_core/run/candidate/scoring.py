"""Scoring a candidate: it is loaded into the resident model, asked, and its answers are scored."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from evomerge_core.run.candidate.candidate_loader import LoadedSlot
from evomerge_core.run.plan import Asked, RunPlan
from evomerge_core.run.store.records import Evaluation, ItemScore
from evomerge_core.tasks.evaluator import Answer, CandidateError, Evaluator, Question
from evomerge_core.tasks.task import weighted_mean


@dataclass(frozen=True)
class Gate:
    """What a candidate must pass before it is asked for answers: `objection` takes the correct answers' losses on `asked`
    (mean negative log-likelihood per token in nats) and says what is wrong, None when nothing is."""

    asked: tuple[Asked, ...]
    objection: Callable[[Sequence[float | None]], str | None]


@dataclass(frozen=True)
class Responses:
    """A candidate's item scores, or the reason why it has none.

    `loss` is the mean of the correct answers' losses where only those are known, `neutral` are the losses on neutral texts;
    `load_seconds` of the `seconds` went into merging and loading.
    """

    items: list[ItemScore]
    neutral: list[ItemScore]
    failure: str | None
    loss: float | None
    load_seconds: float
    seconds: float


def score_candidate(plan: RunPlan, slot: LoadedSlot, split: str) -> tuple[Evaluation, list[ItemScore]]:
    """Loads a candidate, asks it everything of a split and scores it; one that fails has its reason instead of a score."""
    responses = ask_candidate(slot, plan.asked[split])
    return evaluation_of(plan, responses), responses.items


def ask_candidate(
    slot: LoadedSlot,
    asked: Sequence[Asked],
    *,
    neutral: Mapping[tuple[str, str], Question] | None = None,
    gate: Gate | None = None,
) -> Responses:
    """Loads a candidate, asks it and scores item by item; with `gate`, a candidate that doesn't pass writes nothing and fails
    with the objection. `neutral` are questions for a likelihood alone, by (language, number).
    """
    started = time.perf_counter()
    loaded = None
    losses: list[float | None] = []
    try:
        slot.load()
        loaded = time.perf_counter()
        if gate is not None:
            losses = _gold_losses(gate.asked, slot.evaluator)
            objection = gate.objection(losses)
            if objection is not None:
                raise CandidateError(objection)
        answers = slot.evaluator.answer([a.question for a in asked])
        # a call of its own: the task's prompts begin alike, and are read faster without strangers among them
        apart = slot.evaluator.answer(list((neutral or {}).values()))
    except CandidateError as failure:
        now = time.perf_counter()
        return Responses([], [], str(failure), mean_loss(losses), (loaded or now) - started, now - started)
    items = [item_score(a, answer) for a, answer in zip(asked, answers, strict=True)]
    neutral_scores = [_neutral_score(key, answer) for key, answer in zip(neutral or {}, apart, strict=True)]
    return Responses(items, neutral_scores, None, None, loaded - started, time.perf_counter() - started)


def evaluation_of(plan: RunPlan, responses: Responses) -> Evaluation:
    """The evaluation of a candidate that was asked everything at once."""
    if responses.failure is not None:
        return Evaluation(None, responses.loss, responses.failure, responses.seconds, 0)
    return evaluation_on(plan, responses.items, responses.seconds)


def evaluation_on(plan: RunPlan, items: Sequence[ItemScore], seconds: float) -> Evaluation:
    """The evaluation that item scores add up to; every task must have some."""
    return Evaluation(
        weighted_score(plan, items), mean_loss([i.loss for i in items]), None, seconds, sum(i.tokens for i in items)
    )


def weighted_score(plan: RunPlan, items: Sequence[ItemScore]) -> float:
    """The mean of each task's items, averaged over the tasks by their weights."""
    values: dict[str, list[float]] = {task.name: [] for task in plan.tasks}
    for item in items:
        values[item.task].append(item.value)
    means = {name: sum(of_task) / len(of_task) for name, of_task in values.items()}
    return weighted_mean(means, plan.weights)


def mean_loss(losses: Sequence[float | None]) -> float | None:
    """The mean of the known losses; None without any."""
    known = [loss for loss in losses if loss is not None]
    return sum(known) / len(known) if known else None


def _gold_losses(asked: Sequence[Asked], evaluator: Evaluator) -> list[float | None]:
    """The correct answers' losses; nothing is generated."""
    answers = evaluator.answer([replace(a.question, max_new_tokens=0) for a in asked])
    return [-answer.gold_logprob / answer.gold_tokens if answer.gold_tokens else None for answer in answers]


def item_score(asked: Asked, answer: Answer) -> ItemScore:
    """An answer's score, ready for the store."""
    score = asked.task.score(asked.item, answer)
    loss = None if math.isnan(score.loss) else score.loss
    return ItemScore(
        asked.task.name, asked.item.id, score.value, loss, score.truncated, score.language_ok, answer.tokens, answer.text
    )


def _neutral_score(key: tuple[str, str], answer: Answer) -> ItemScore:
    language, number = key
    loss = -answer.gold_logprob / answer.gold_tokens if answer.gold_tokens else None
    return ItemScore(language, number, 0.0, loss, truncated=False, language_ok=True, tokens=0, answer="")
