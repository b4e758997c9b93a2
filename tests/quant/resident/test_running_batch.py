"""Rows enter and leave a running batch: answers are those of one row at a time, in far fewer steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from evomerge_core.tasks.early_end import Decision
from evomerge_core.tasks.evaluator import Question
from evomerge_quant.resident.answering.decoding import running
from evomerge_quant.resident.answering.reader import Reader
from evomerge_quant.resident.model import ResidentModel, build
from support.tiny_models import ENDS, WORDS

MakeFolder = Callable[..., Path]


def words(ids: Sequence[int]) -> str:
    return " ".join(f"w{i}" for i in ids)


def resident(folder: Path, batch_size: int) -> ResidentModel:
    model = build(folder, precision="fp32", device="cpu", batch_size=batch_size)
    model.load(load_file(folder / "model.safetensors").items())
    return model


def mixed_questions(count: int) -> list[Question]:
    """Prompts and limits of very different lengths."""
    generator = torch.Generator().manual_seed(11)
    lengths = torch.randint(1, 60, (count,), generator=generator).tolist()
    limits = [150 if number % 7 == 0 else 3 + number % 20 for number in range(count)]
    prompts = [words(torch.randint(22, WORDS, (length,), generator=generator).tolist()) for length in lengths]
    return [Question(prompt, max_new_tokens=limit) for prompt, limit in zip(prompts, limits, strict=True)]


@pytest.mark.parametrize("family", ["llama", "mistral-window", "gemma2"])
def test_answers_are_transformers_however_rows_come_and_go(
    model_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    monkeypatch.setattr(running, "_ROOM", 3)  # the batch is laid out anew every few steps
    folder = model_folder(family)
    oracle = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    questions = mixed_questions(30)
    answers = resident(folder, batch_size=4).answer(questions)
    for question, answer in zip(questions, answers, strict=True):
        prompt = torch.tensor([tokenizer.encode(question.prompt).ids])
        out = oracle.generate(
            prompt, do_sample=False, max_new_tokens=question.max_new_tokens, eos_token_id=ENDS, pad_token_id=0
        )
        own = out[0, prompt.shape[1] :].tolist()
        assert answer.tokens == len(own)
        assert answer.text == words(own[:-1] if own[-1] in ENDS else own)


def test_seats_do_not_stay_empty(model_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """One long answer among short ones: the steps are about all tokens over all seats, not one long answer after another."""
    folder = model_folder("llama")
    questions = mixed_questions(40)
    steps: list[int] = []
    whole = Reader.next_tokens

    def counted(self: Reader, hidden: torch.Tensor) -> list[int]:
        steps.append(len(hidden))
        return whole(self, hidden)

    monkeypatch.setattr(Reader, "next_tokens", counted)
    answers = resident(folder, batch_size=8).answer(questions)
    # the first token of each answer comes with the reading of its prompt
    assert sum(steps) == sum(answer.tokens - 1 for answer in answers)
    longest = max(answer.tokens for answer in answers)
    assert len(steps) <= sum(steps) / 8 + longest


def test_an_answer_ends_when_its_score_is_certain(model_folder: MakeFolder) -> None:
    folder = model_folder("llama")
    plain = [replace(question, max_new_tokens=30) for question in mixed_questions(12)]
    model = resident(folder, batch_size=5)
    whole = model.answer(plain)
    early = model.answer([replace(q, decision=Decision("exact", ("w23 w24",))) for q in plain])
    for before, after in zip(whole, early, strict=True):
        assert before.text.startswith(after.text)
        assert after.tokens <= min(2, before.tokens)
        assert not after.truncated
    held = [answer.text.split()[2] if len(answer.text.split()) > 4 else "w1" for answer in whole]
    early = model.answer([replace(q, decision=Decision("contains", (word,))) for q, word in zip(plain, held, strict=True)])
    assert sum(answer.tokens for answer in early) < sum(answer.tokens for answer in whole)
    for before, after, word in zip(whole, early, held, strict=True):
        assert (word in before.text) == (word in after.text)
