"""A GGUF answers questions as the resident model of the same weights does, and as llama-cpp-python's own class does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, takewhile
from pathlib import Path

import pytest
import torch
from llama_cpp import Llama
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from evomerge_core.errors import InputError
from evomerge_core.tasks.evaluator import Question
from evomerge_quant.llama import answering
from evomerge_quant.llama.answering import GgufAnswer, GgufEvaluator, answer_rows
from evomerge_quant.llama.model import open_gguf
from evomerge_quant.resident.answering.rows import make_rows
from evomerge_quant.resident.model import build

# In logits and log-probabilities: llama.cpp keeps keys and values in 16 bits.
CLOSE = 0.1
START = "<|im_start|>user\nthe cat "
QUESTIONS = [
    Question(prompt=f"{START}sat on {number} mats<|im_end|>\n", gold=gold, max_new_tokens=limit, stop=stop)
    for number, (gold, limit, stop) in enumerate(
        [
            ("", 12, ()),
            ("the dog ran", 12, ()),
            ("größe 12", 3, ()),
            ("one", 20, ("e", "1")),
            ("two", 0, ()),
            ("", 25, ("\n",)),
        ]
        * 3
    )
]
CHOICES = [Question(prompt=f"{START}and {word}", choices=(" yes", " no", " the third one"), max_new_tokens=8) for word in "abc"]


@pytest.fixture(scope="module")
def evaluator(gguf_file: Path) -> Iterator[GgufEvaluator]:
    with open_gguf(gguf_file) as model:
        yield GgufEvaluator(model)


class Expected:
    """The resident model's answers, and where its logits leave no doubt about the next token."""

    def __init__(self, folder: Path) -> None:
        model = build(folder, precision="fp32", device="cpu")
        model.load(load_file(folder / "model.safetensors").items())
        self.answers = model.answer([*QUESTIONS, *CHOICES])
        self.oracle = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    @torch.no_grad()
    def lead(self, prompt: str, tokens: Sequence[int]) -> list[float]:
        """By how much each token's logit leads all others (below 0: it was not the best)."""
        ids = self.tokenizer.encode(prompt, add_special_tokens=False).ids
        logits = self.oracle(torch.tensor([[*ids, *tokens]])).logits[0, len(ids) - 1 : -1]
        own = logits.gather(1, torch.tensor(tokens)[:, None])
        others = logits.scatter(1, torch.tensor(tokens)[:, None], -torch.inf).max(dim=1, keepdim=True).values
        return [float(x) for x in (own - others)[:, 0]]


@pytest.fixture(scope="module")
def expected(folder: Path) -> Expected:
    return Expected(folder)


def written(evaluator: GgufEvaluator, questions: Sequence[Question] = (*QUESTIONS, *CHOICES)) -> list[GgufAnswer]:
    rows = make_rows(questions, evaluator.vocabulary, evaluator.model.training_context)
    return answer_rows(evaluator.model, rows, evaluator.vocabulary)


def check(found: Sequence[GgufAnswer], expected: Expected) -> None:
    """Equal answers; but where two tokens are all but equally likely, which of them comes is not asked."""
    sure = 0
    for question, said, theirs in zip([*QUESTIONS, *CHOICES], found, expected.answers, strict=True):
        ours = said.answer
        assert ours.gold_tokens == theirs.gold_tokens
        assert ours.gold_logprob == pytest.approx(theirs.gold_logprob, abs=CLOSE)
        for (own, tokens), (wanted, count) in zip(ours.choice_logprobs, theirs.choice_logprobs, strict=True):
            assert own == pytest.approx(wanted, abs=CLOSE)
            assert tokens == count
        leads = expected.lead(question.prompt, said.tokens) if said.tokens else []
        assert all(lead > -CLOSE for lead in leads)
        if all(lead > CLOSE for lead in leads):
            sure += 1
            assert (ours.text, ours.tokens, ours.truncated) == (theirs.text, theirs.tokens, theirs.truncated)
    assert sure >= len(found) // 2


def test_answers_are_the_resident_models(evaluator: GgufEvaluator, expected: Expected) -> None:
    check(written(evaluator), expected)


def test_groups_of_any_size_answer_the_same(
    evaluator: GgufEvaluator, expected: Expected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "_MOST_ROWS", 4)
    monkeypatch.setattr(answering, "_MOST_TOKENS", 40)
    check(written(evaluator), expected)


def test_what_the_model_would_say_anyway_as_gold_changes_nothing(evaluator: GgufEvaluator) -> None:
    """The gold answer is where generation begins when the model agrees with it: wholly, partly, or with an end inside."""
    plain = [q for q in QUESTIONS if not q.gold]
    said = evaluator.answer(plain)
    for share in (1.0, 0.5):
        golds = [a.text[: int(share * len(a.text))] for a in said]
        led = [
            Question(prompt=q.prompt, gold=gold, max_new_tokens=q.max_new_tokens, stop=q.stop)
            for q, gold in zip(plain, golds, strict=True)
        ]
        assert [(a.text, a.tokens) for a in evaluator.answer(led)] == [(a.text, a.tokens) for a in said]


def test_tokens_are_those_of_llama_cpp_pythons_own_class(gguf_file: Path, evaluator: GgufEvaluator, expected: Expected) -> None:
    theirs = Llama(str(gguf_file), n_ctx=256, verbose=False)
    questions = [q for q in QUESTIONS if q.max_new_tokens and not q.stop]
    compared = 0
    for question, said in zip(questions, written(evaluator, questions), strict=True):
        ids = theirs.tokenize(question.prompt.encode(), add_bos=False, special=True)
        made = list(islice(theirs.generate(ids, temp=0.0, repeat_penalty=1.0), len(said.tokens)))
        sure = len(list(takewhile(lambda lead: lead > CLOSE, expected.lead(question.prompt, said.tokens))))
        assert list(said.tokens[:sure]) == made[:sure]
        compared += sure
    assert compared > 3 * len(questions)
    theirs.close()


def test_a_prompt_that_is_too_long_is_refused(evaluator: GgufEvaluator) -> None:
    with pytest.raises(InputError, match="positions"):
        evaluator.answer([Question(prompt="the cat " * 600)])


def test_no_questions_no_answers(evaluator: GgufEvaluator) -> None:
    assert evaluator.answer([]) == []
