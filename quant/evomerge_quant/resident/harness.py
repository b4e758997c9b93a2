"""lm-evaluation-harness's tasks on the resident model: through its model interface, without loading a model again.

Needs the extra `evomerge-tui[harness]` (lm-eval 0.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import evaluate
from lm_eval import evaluator, simple_evaluate
from lm_eval.api import task
from lm_eval.api.model import LM

from evomerge_core.errors import InputError
from evomerge_core.limited.chat_template import render_chat, render_unfinished_chat
from evomerge_core.limited.limited_process import Refused
from evomerge_core.sources.pretrained import read_tokenizer
from evomerge_core.tasks.evaluator import Question
from evomerge_quant.resident.model import ResidentModel

_MOST_NEW_TOKENS = 256  # lm-evaluation-harness's own default


class ResidentHarness(LM):  # type: ignore[misc]
    """The resident model as lm-evaluation-harness sees models; it answers for the candidate that is loaded.

    `folder` holds the tokenizer. Rows that are longer than the model's positions are refused (InputError), not cut.
    """

    def __init__(self, model: ResidentModel, folder: Path) -> None:
        super().__init__()
        self._model = model
        self._folder = folder
        self._tokenizer: Any = read_tokenizer(folder)
        # what a text without context follows, as in lm-evaluation-harness's own backend
        self._start: str = self._tokenizer.bos_token or self._tokenizer.eos_token

    @property
    def tokenizer_name(self) -> str:
        """What distinguishes the tokenizer's requests from others in a cache."""
        return str(self._folder).replace("/", "__")

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """(log-probability, whether greedy decoding gives it) of each (context, continuation)."""
        return self._rate([request.args for request in requests])

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """The log-probability of each whole text."""
        return [logprob for logprob, _ in self._rate([("", *request.args) for request in requests])]

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """Greedy answers to each (context, settings) up to a stop string. InputError for settings that sample."""
        questions = [self._question(context, dict(settings)) for context, settings in (r.args for r in requests)]
        return [answer.text for answer in self._model.answer(questions)]

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The conversation in the tokenizer's chat template; the last message is continued unless an answer is to begin."""
        try:
            if add_generation_prompt:
                return render_chat(self._tokenizer, chat_history, answer=True)
            return render_unfinished_chat(self._tokenizer, chat_history)
        except Refused as reason:
            problem = f"the chat template fails ({reason})"
            raise InputError(
                problem, where=self._folder, remedy="leave out --chat, or give the model another template"
            ) from None

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """The template, for the record in the results."""
        return self._tokenizer.chat_template if chat_template else ""

    def _rate(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, bool]]:
        answers = self._model.answer([self._rating(context, continuation) for context, continuation in pairs])
        return [(answer.choice_logprobs[0][0], answer.choices_greedy[0]) for answer in answers]

    def _rating(self, context: str, continuation: str) -> Question:
        # spaces at the seam belong to the word that follows, as in lm-evaluation-harness's own backend
        prompt = context.rstrip()
        if not prompt:
            return Question(self._start, choices=(context + continuation,))
        choice = context[len(prompt) :] + continuation
        return Question(prompt, choices=(choice,), add_special_tokens=self._begins_bare(prompt))

    def _question(self, context: str, settings: dict[str, Any]) -> Question:
        until = settings.pop("until", None) or ()
        stop = (until,) if isinstance(until, str) else tuple(until)
        most = next((settings.pop(key) for key in ("max_gen_toks", "max_new_tokens", "max_tokens") if key in settings), None)
        if settings.pop("do_sample", False) or settings.pop("temperature", 0.0):
            raise InputError(
                "generation_kwargs: the resident model answers greedily; set do_sample to false and temperature to 0"
            )
        return Question(
            context, max_new_tokens=int(most or _MOST_NEW_TOKENS), stop=stop, add_special_tokens=self._begins_bare(context)
        )

    def _begins_bare(self, text: str) -> bool:
        """Whether a text begins without the tokenizer's begin token, which chat templates write themselves."""
        return not (self._tokenizer.bos_token and text.startswith(self._tokenizer.bos_token))


def run_harness(
    model: ResidentModel, folder: Path, tasks: Sequence[str | dict[str, Any]], *, limit: int | None = None, chat: bool = False
) -> dict[str, Any]:
    """lm-evaluation-harness's results of tasks, by name or as configurations, for the candidate that `model` holds.

    `limit` is the number of items of each task (None: all); `chat` puts prompts into the chat template. InputError for an
    unknown task, one whose metric is code from the hub, and one whose data can't be had.
    """
    _refuse_files(tasks)
    with _quiet(), _no_metrics_from_the_hub():
        try:
            found: dict[str, Any] = simple_evaluate(
                model=ResidentHarness(model, folder),
                tasks=list(tasks),
                limit=limit,
                apply_chat_template=chat,
                bootstrap_iters=0,
            )
        except KeyError as error:
            if "is not a registered task" not in str(error):
                raise
            raise InputError(f"harness: {error.args[0]}; `lm-eval ls tasks` shows all") from None
        except (OSError, ImportError) as error:
            said = " ".join(str(error).split())[:240]
            raise InputError(f"harness: {', '.join(map(str, tasks))}: {said}", remedy="choose another task") from None
    return found


def _refuse_files(tasks: Sequence[str | dict[str, Any]]) -> None:
    """InputError for a task in a file: lm-evaluation-harness accepts paths too, and runs the Python that `!function` names."""
    for name in tasks:
        if isinstance(name, str) and Path(name).expanduser().is_file():
            raise InputError(f"harness: {name}: a task file can run Python, so none is read; name a built-in task")


@contextmanager
def _no_metrics_from_the_hub() -> Iterator[None]:
    """`evaluate.load` runs Python: that of a folder beside the working folder's files, or one that it fetches from the hub."""

    def refuse(name: str, *_: object, **__: object) -> None:
        raise InputError(
            f"harness: the metric {name} is Python code that would be fetched and run", remedy="choose a task without it"
        )

    before, evaluate.load = evaluate.load, refuse
    try:
        yield
    finally:
        evaluate.load = before


@contextmanager
def _quiet() -> Iterator[None]:
    """Without git, which complains where the working folder is not a repository, and without a progress bar for each task."""
    before = evaluator.get_git_commit_hash, task.tqdm
    evaluator.get_git_commit_hash, task.tqdm = lambda: None, lambda items, **_: items
    try:
        yield
    finally:
        evaluator.get_git_commit_hash, task.tqdm = before
