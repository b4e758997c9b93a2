"""A task out of a recipe's entry."""

from __future__ import annotations

from evomerge_core.errors import InputError
from evomerge_core.tasks.language.detection import check_language
from evomerge_core.tasks.ready import ReadyTask, get_ready
from evomerge_core.tasks.scorers.registry import get_scorer
from evomerge_core.tasks.scorers.scorer import Scorer
from evomerge_core.tasks.spec import TaskSpec
from evomerge_core.tasks.task import Task

_DEFAULT_PROMPT = "{question}"


def make_task(spec: TaskSpec) -> Task:
    """The task; what the entry leaves out comes from its ready definition, else from `Task`'s defaults.

    Raises `InputError` for an unknown ready task, scorer or language, and for a key that would have no effect.
    """
    ready = _ready(spec)
    scorer = get_scorer(spec.scorer or (ready.scorer if ready else "exact"), key=f"{spec.name}: scorer")
    if scorer.lacking():
        remedy = f"pip install 'evomerge-tui[{scorer.lacking()}]'"
        raise InputError(f"{scorer.name} needs the extra {scorer.lacking()}", where=f"{spec.name}: scorer", remedy=remedy)
    _refuse_idle_keys(spec, scorer)
    task = Task(
        name=spec.name,
        prompt=spec.prompt or (ready.prompt if ready else _DEFAULT_PROMPT),
        scorer=scorer,
        system=spec.system,
        chat=spec.chat is not False,
        gold=_gold(spec, ready, scorer),
        pattern=spec.pattern,
        choices=spec.choices or (),
        language=_language(spec, ready, scorer),
        weight=spec.weight,
        max_new_tokens=spec.max_new_tokens or (ready.max_new_tokens if ready else Task.max_new_tokens),
        stop=spec.stop or (),
    )
    if task.language:
        check_language(task.language, key=f"{spec.name}: language")
    return task


def _ready(spec: TaskSpec) -> ReadyTask | None:
    return None if spec.task is None else get_ready(spec.task, key=f"{spec.name}: task")


def _refuse_idle_keys(spec: TaskSpec, scorer: Scorer) -> None:
    if spec.system is not None and spec.chat is False:
        raise InputError("system has no effect with `chat: false`", where=spec.name, remedy="put the text into `prompt`")
    if spec.gold is not None and scorer.choices:
        raise InputError(
            f"gold has no effect with `scorer: {scorer.name}`, which rates the choices", where=spec.name, remedy="remove it"
        )


def _gold(spec: TaskSpec, ready: ReadyTask | None, scorer: Scorer) -> str:
    if scorer.choices:
        return ""
    if spec.gold is not None:
        return spec.gold
    if ready is not None:
        return ready.gold
    return "{answer}" if "answer" in (spec.fields or {}) else ""


def _language(spec: TaskSpec, ready: ReadyTask | None, scorer: Scorer) -> str:
    if spec.language is not None:
        return spec.language
    # Choices are rated, not written: there is no text to be in a language.
    return ready.language if ready is not None and not scorer.choices else ""
