"""A GGUF as a judge of taste: which of two answers to a prompt is better, asked in both orders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.recipe.schema import Recipe
from evomerge_core.tasks.evaluator import CandidateError, Question
from evomerge_core.tasks.taste import Judge
from evomerge_quant.chat.conversation import Message
from evomerge_quant.chat.template import Render, chat_template
from evomerge_quant.llama.answering import GgufEvaluator
from evomerge_quant.llama.context import LlamaError
from evomerge_quant.llama.model import Offload, open_gguf
from evomerge_quant.llama.trial import try_gguf
from evomerge_quant.resident.model import choose_device

# What stands for the answer shown first, the one shown second, and neither.
_LETTERS = ("A", "B", "C")
_SHOWN_FIRST: dict[str, str] = {"A": "first", "B": "second", "C": "tie"}
_SHOWN_SECOND: dict[str, str] = {"A": "second", "B": "first", "C": "tie"}
_ASK = """\
Two assistants answered the same request. Which answer is better: more helpful, more correct, better written?

Request:
{prompt}

Answer A:
{first}

Answer B:
{second}

Reply with one letter: A if answer A is better, B if answer B is better, C if they are equally good."""


def judge_of(recipe: Recipe) -> AbstractContextManager[Judge | None]:
    """The judge that a recipe names, with an absolute path; None where people vote. It leaves the card to candidates that are
    scored there."""
    if recipe.taste is None or recipe.taste.judge is None:
        return nullcontext()
    # it is opened first, and would take the memory that candidates need
    offload = Offload(0) if choose_device(recipe.evaluation.device).type == "cuda" else None
    return open_judge(Path(recipe.taste.judge), offload=offload)


@contextmanager
def open_judge(path: Path, *, offload: Offload | None = None) -> Iterator[Judge]:
    """A judge that stays in memory, without `offload` with as many layers on the GPU as fit there. Raises InputError, when it
    is opened or asked, for a file that can't judge."""
    try_gguf(path)
    with open_gguf(path, offload=offload) as model:
        evaluator, render = GgufEvaluator(model), chat_template(model)

        def judge(prompt: str, first: str, second: str) -> tuple[str, str]:
            questions = [_question(render, prompt, *shown) for shown in ((first, second), (second, first))]
            try:
                there, back = (_likeliest(answer.choice_logprobs) for answer in evaluator.answer(questions))
            except (CandidateError, LlamaError) as failure:
                raise InputError(f"the judge can't choose ({failure})", where=path, remedy="name another GGUF") from failure
            return _SHOWN_FIRST[there], _SHOWN_SECOND[back]

        yield judge


def _question(render: Render, prompt: str, first: str, second: str) -> Question:
    asked = _ASK.format(prompt=prompt, first=first.strip() or "(nothing)", second=second.strip() or "(nothing)")
    texts = render([Message("user", asked)])
    return Question(prompt="".join(str(text) for text in texts), choices=_LETTERS, max_new_tokens=0)


def _likeliest(logprobs: tuple[tuple[float, int], ...]) -> str:
    """The letter with the highest likelihood for each token; of equals the earlier."""
    return max(zip(_LETTERS, logprobs, strict=True), key=lambda pair: pair[1][0] / pair[1][1])[0]
