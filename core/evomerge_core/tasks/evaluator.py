"""What a task asks of a model and what it gets back: the protocol between scoring and the resident model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from evomerge_core.tasks.early_end import Decision

if TYPE_CHECKING:  # tasks are read without torch, which takes seconds to load
    from torch import Tensor


@dataclass(frozen=True)
class Question:
    """A rendered prompt and what to do with it.

    `gold` is the correct answer, whose log-likelihood is measured ("" for none); `choices`, when there are any, are scored by
    log-likelihood and nothing is generated. `add_special_tokens` is False when a chat template wrote them already. With
    `decision` the answer ends as soon as its score is certain; it is then not counted as truncated. `pictures` are the sha256
    of what the prompt's image tokens show, in their order.
    """

    prompt: str
    gold: str = ""
    choices: tuple[str, ...] = ()
    max_new_tokens: int = 64
    stop: tuple[str, ...] = ()
    add_special_tokens: bool = False
    decision: Decision | None = None
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What the model answered.

    `tokens` counts generated tokens (the end token included); `truncated` means that the limit ended the answer.
    `gold_logprob` is the natural log-probability summed over `gold_tokens` tokens of the correct answer and the end token.
    `choice_logprobs` are (sum of log-probabilities, number of tokens) for each choice; `choices_greedy` says of each whether
    the model, left to itself, would have written it.
    """

    text: str = ""
    tokens: int = 0
    truncated: bool = False
    gold_logprob: float = 0.0
    gold_tokens: int = 0
    choice_logprobs: tuple[tuple[float, int], ...] = ()
    choices_greedy: tuple[bool, ...] = ()


class Evaluator(Protocol):
    """A model that stays in memory, takes candidates' weights, and answers."""

    @property
    def precision(self) -> str:
        """The precision that answers are given in: `nf4`, `int8`, `bf16` or `fp32`."""
        ...

    @property
    def scored_on(self) -> str:
        """The device and what products are computed in, in words; the same words mean the same figures."""
        ...

    @property
    def batch_size(self) -> int | None:
        """Rows that are answered together, fitted to the memory at the first answer (None before it).

        Sums depend on it in their last bits: a resumed run keeps the recorded number.
        """
        ...

    def load(self, tensors: Iterable[tuple[str, Tensor]]) -> None:
        """Takes a whole candidate, tensor by tensor, in place of the last one.

        Raises `CandidateError` when a tensor holds NaN or Inf; the model then holds no candidate.
        """
        ...

    def follow(self, route: Sequence[tuple[int, float]]) -> None:
        """Sends tokens through these of the loaded layers from now on: (number, what the layer's input is multiplied by).

        The next `load` ends it.
        """
        ...

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Greedy answers in the order of the questions; the same questions give the same answers."""
        ...


class CandidateError(Exception):
    """A candidate can't be scored (NaN, out of memory, no answer); it ranks last with this reason.

    `elsewhere`: it may well be scored where there is more memory.
    """

    elsewhere: bool = False
