"""Scoring a candidate: it is loaded into the resident model, asked, and its answers are scored."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from evomerge_core.run.candidate.held_model import LoadedSlot
from evomerge_core.run.plan import Asked, RunPlan
from evomerge_core.run.store.records import Evaluation, ItemScore
from evomerge_core.tasks.evaluator import Answer, CandidateError, Evaluator, Question
from evomerge_core.tasks.task import weighted_mean


@dataclass(frozen=True)
class Gate:
    """What a candidate must pass before it is asked for answers: `objection` takes the correct answers' losses on `questions`
    (mean negative log-likelihood per token in nats) and says what is wrong, None when nothing is."""

    questions: tuple[Question, ...]
    objection: Callable[[Sequence[float | None]], str | None]


@dataclass(frozen=True)
class Answered:
    """What a candidate answered, also on `neutral` texts, or the reason why it answered nothing; seconds and loss as in
    `Responses`.

    `scored_on` is what it was computed on, and `rows` how many questions were answered together (None: not known).
    `made_seconds` went into making the model ready before. `elsewhere`: where there is more memory the candidate may not fail.
    """

    answers: Sequence[Answer]
    neutral: Sequence[Answer]
    failure: str | None
    loss: float | None
    load_seconds: float
    seconds: float
    scored_on: str | None = None
    rows: int | None = None
    elsewhere: bool = False
    made_seconds: float = 0.0


@dataclass(frozen=True)
class Responses:
    """A candidate's item scores, or the reason why it has none.

    `loss` is the mean of the correct answers' losses where only those are known, `neutral` are the losses on neutral texts;
    `load_seconds` of the `seconds` went into merging and loading; `scored_on` is what was computed on (None: nothing was).
    """

    items: list[ItemScore]
    neutral: list[ItemScore]
    failure: str | None
    loss: float | None
    load_seconds: float
    seconds: float
    scored_on: str | None = None


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
    """Loads a candidate, asks it and scores item by item; `neutral` are questions by (language, number), the gate is as in
    `answers_of`."""
    started = time.perf_counter()
    named = neutral or {}
    answered = answers_of(slot, [a.question for a in asked], neutral=list(named.values()), gate=gate)
    scored = responses_of(asked, list(named), answered)
    return scored if scored.failure is not None else replace(scored, seconds=time.perf_counter() - started)


def responses_of(asked: Sequence[Asked], neutral: Sequence[tuple[str, str]], answered: Answered) -> Responses:
    """The scores of what was answered to `asked`, and to `neutral` texts, by (language, number)."""
    items = [item_score(a, answer) for a, answer in zip(asked, answered.answers, strict=False)]
    apart = [_neutral_score(key, answer) for key, answer in zip(neutral, answered.neutral, strict=False)]
    return Responses(items, apart, answered.failure, answered.loss, answered.load_seconds, answered.seconds, answered.scored_on)


def answers_of(
    slot: LoadedSlot, questions: Sequence[Question], *, neutral: Sequence[Question] = (), gate: Gate | None = None
) -> Answered:
    """Loads a candidate and asks it; with `gate`, a candidate that doesn't pass writes nothing and fails with the objection.
    `neutral` are questions for a likelihood alone."""
    started = time.perf_counter()
    where = slot.evaluator.scored_on
    loaded = None
    losses: list[float | None] = []
    try:
        slot.load()
        loaded = time.perf_counter()
        if gate is not None:
            losses = _gold_losses(gate.questions, slot.evaluator)
            objection = gate.objection(losses)
            if objection is not None:
                raise CandidateError(objection)
        answers = slot.evaluator.answer(questions)
        # a call of its own: the task's prompts begin alike, and are read faster without strangers among them
        apart = slot.evaluator.answer(neutral)
    except CandidateError as failure:
        now, rows = time.perf_counter(), slot.evaluator.batch_size
        loss, spent = mean_loss(losses), ((loaded or now) - started, now - started)
        return Answered((), (), str(failure), loss, *spent, where, rows, failure.elsewhere)
    spent = (loaded - started, time.perf_counter() - started)
    return Answered(answers, apart, None, None, *spent, where, slot.evaluator.batch_size)


def evaluation_of(plan: RunPlan, responses: Responses) -> Evaluation:
    """The evaluation of a candidate that was asked everything at once."""
    if responses.failure is not None:
        return Evaluation(None, responses.loss, responses.failure, responses.seconds, 0)
    return evaluation_on(plan, responses.items, responses.seconds)


def evaluation_on(plan: RunPlan, items: Sequence[ItemScore], seconds: float) -> Evaluation:
    """The evaluation that item scores add up to; there must be some."""
    return Evaluation(
        weighted_score(plan, items), mean_loss([i.loss for i in items]), None, seconds, sum(i.tokens for i in items)
    )


def weighted_score(plan: RunPlan, items: Sequence[ItemScore]) -> float:
    """The mean of each task's items, averaged over the tasks that have some by their weights."""
    values: dict[str, list[float]] = {}
    for item in items:
        values.setdefault(item.task, []).append(item.value)
    means = {name: sum(of_task) / len(of_task) for name, of_task in values.items()}
    return weighted_mean(means, plan.weights)


def mean_loss(losses: Sequence[float | None]) -> float | None:
    """The mean of the known losses; None without any."""
    known = [loss for loss in losses if loss is not None]
    return sum(known) / len(known) if known else None


def _gold_losses(questions: Sequence[Question], evaluator: Evaluator) -> list[float | None]:
    """The correct answers' losses; nothing is generated."""
    answers = evaluator.answer([replace(question, max_new_tokens=0) for question in questions])
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
