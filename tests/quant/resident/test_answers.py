"""What the resident model answers is what transformers answers, question by question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from evomerge_core.errors import InputError
from evomerge_core.tasks.evaluator import Answer, CandidateError, Question
from evomerge_quant.resident.model import ResidentModel, build
from support.tiny_models import ENDS, FAMILIES, WORDS

MakeFolder = Callable[..., Path]


class Transformers:
    """The oracle: one question at a time, the whole sequence from the start, plain greedy decoding."""

    def __init__(self, folder: Path) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(folder).eval()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text).ids)

    def generate(self, question: Question) -> list[int]:
        prompt = torch.tensor([self.ids(question.prompt)])
        out = self.model.generate(
            prompt, do_sample=False, max_new_tokens=question.max_new_tokens, eos_token_id=ENDS, pad_token_id=0
        )
        return list(out[0, prompt.shape[1] :].tolist())

    @torch.no_grad()
    def logprob(self, prompt: str, continuation: list[int]) -> float:
        start = self.ids(prompt)
        logits = self.model(torch.tensor([start + continuation])).logits[0, len(start) - 1 : -1].double()
        return float(logits.log_softmax(-1).gather(1, torch.tensor(continuation)[:, None]).sum())


def words(ids: Sequence[int]) -> str:
    return " ".join(f"w{i}" for i in ids)


def random_words(count: int, generator: torch.Generator) -> str:
    return words(torch.randint(22, WORDS, (count,), generator=generator).tolist())


def questions_around(oracle: Transformers, count: int, shared: int = 4) -> list[Question]:
    """Prompts of many lengths; golds that the model gives wholly, up to some token, not at all, and none."""
    generator = torch.Generator().manual_seed(7)
    start = random_words(shared, generator)
    made = []
    for number in range(count):
        prompt = f"{start} {random_words(1 + int(torch.randint(0, 14, (1,), generator=generator)), generator)}".strip()
        bare = Question(prompt, max_new_tokens=4 + number % 9)
        own = [i for i in oracle.generate(bare) if i not in ENDS]
        agreed = own[: (0, len(own), len(own) // 2, 1)[number % 4]]
        gold = words(agreed) + (" " + random_words(1 + number % 5, generator) if number % 4 else "")
        if number % 8 == 5:
            gold = words(own)
        made.append(Question(prompt, gold=gold.strip(), max_new_tokens=4 + number % 9))
    return made


def resident(folder: Path, **options: object) -> ResidentModel:
    model = build(folder, precision="fp32", device="cpu", **options)  # type: ignore[arg-type]
    model.load(load_file(folder / "model.safetensors").items())
    return model


def assert_same(answers: Sequence[Answer], questions: Sequence[Question], oracle: Transformers) -> None:
    for answer, question in zip(answers, questions, strict=True):
        tokens = oracle.generate(question)
        ended = tokens[-1] in ENDS
        assert answer.text == words(tokens[:-1] if ended else tokens)
        assert (answer.tokens, answer.truncated) == (len(tokens), not ended)
        if question.gold:
            gold = [*oracle.ids(question.gold), ENDS[0]]
            assert answer.gold_tokens == len(gold)
            assert answer.gold_logprob == pytest.approx(oracle.logprob(question.prompt, gold), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_of_every_family(model_folder: MakeFolder, family: str) -> None:
    folder = model_folder(family)
    oracle = Transformers(folder)
    questions = questions_around(oracle, 16)
    answers = resident(folder, batch_size=5).answer(questions)
    assert_same(answers, questions, oracle)


def test_many_answers_that_agree_with_the_gold_never_briefly_long_and_wholly(model_folder: MakeFolder) -> None:
    folder = model_folder("llama", seed=3)
    oracle = Transformers(folder)
    questions = questions_around(oracle, 60)
    answers = resident(folder).answer(questions)
    assert_same(answers, questions, oracle)
    assert 5 < sum(answer.truncated for answer in answers) < 55
    agreed = [words(oracle.generate(q)).startswith(q.gold) for q in questions if q.gold]
    assert 5 < sum(agreed) < len(agreed)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_batches_change_nothing(model_folder: MakeFolder, batch_size: int) -> None:
    folder = model_folder("qwen2")
    oracle = Transformers(folder)
    questions = questions_around(oracle, 14, shared=0)
    model = resident(folder, batch_size=batch_size)
    answers = model.answer(questions)
    assert_same(answers, questions, oracle)
    assert model.answer(questions) == answers
    assert model.batch_size == batch_size


def test_a_stop_string_ends_the_answer_before_it(model_folder: MakeFolder) -> None:
    folder = model_folder("llama")
    oracle = Transformers(folder)
    plain = [Question(q.prompt, q.gold, max_new_tokens=12) for q in questions_around(oracle, 20)]
    texts = [[f"w{i}" for i in oracle.generate(q)] for q in plain]
    stops = [(words_[len(words_) // 2], "never") for words_ in texts]
    questions = [Question(q.prompt, q.gold, max_new_tokens=12, stop=s) for q, s in zip(plain, stops, strict=True)]
    for answer, text, (stop, _) in zip(resident(folder).answer(questions), texts, stops, strict=True):
        at = next(i for i, word in enumerate(text) if stop in word or int(word[1:]) in ENDS)
        assert (answer.text.split(), answer.tokens, answer.truncated) == (text[:at], at + 1, False)


def test_choices_are_scored_as_if_each_alone_followed_the_prompt(model_folder: MakeFolder) -> None:
    folder = model_folder("llama")
    oracle = Transformers(folder)
    generator = torch.Generator().manual_seed(1)
    questions = [
        Question(random_words(5 + i, generator), gold=random_words(3, generator) if i % 2 else "",
                 choices=tuple(random_words(1 + (i + j) % 4, generator) for j in range(4)))
        for i in range(6)
    ]  # fmt: skip
    for question, answer in zip(questions, resident(folder).answer(questions), strict=True):
        assert (answer.text, answer.tokens) == ("", 0)
        for choice, (logprob, count) in zip(question.choices, answer.choice_logprobs, strict=True):
            ids = oracle.ids(choice)
            assert count == len(ids)
            assert logprob == pytest.approx(oracle.logprob(question.prompt, ids), rel=1e-4, abs=1e-4)
        if question.gold:
            gold = [*oracle.ids(question.gold), ENDS[0]]
            assert answer.gold_logprob == pytest.approx(oracle.logprob(question.prompt, gold), rel=1e-4, abs=1e-4)


def test_generated_and_scored_questions_in_one_call_keep_their_order(model_folder: MakeFolder) -> None:
    folder = model_folder("llama")
    oracle = Transformers(folder)
    asked = questions_around(oracle, 6)
    mixed = [q for pair in zip(asked, [Question("w30 w40", choices=("w50", "w60"))] * 6, strict=True) for q in pair]
    answers = resident(folder, batch_size=4).answer(mixed)
    assert_same(answers[::2], asked, oracle)
    assert all(len(answer.choice_logprobs) == 2 for answer in answers[1::2])


def test_a_child_with_fewer_layers(model_folder: MakeFolder) -> None:
    folder = model_folder("llama")
    tensors = {k: v for k, v in load_file(folder / "model.safetensors").items() if "layers.2." not in k}
    model = build(folder, precision="fp32", device="cpu", layers=(0, 1))
    model.load(tensors.items())
    oracle = Transformers(folder)
    oracle.model.model.layers = oracle.model.model.layers[:2]
    oracle.model.config.num_hidden_layers = 2
    questions = questions_around(oracle, 6)
    assert_same(model.answer(questions), questions, oracle)


def test_no_questions_no_answers(model_folder: MakeFolder) -> None:
    assert resident(model_folder()).answer([]) == []


@pytest.mark.parametrize(
    ("question", "reason"),
    [(Question(""), "has no tokens"), (Question("w30 " * 200, max_new_tokens=100), "300 tokens.*256 positions")],
)
def test_a_question_that_the_model_cannot_take(model_folder: MakeFolder, question: Question, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        resident(model_folder()).answer([question])


def test_the_batch_is_halved_when_memory_runs_out(model_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = model_folder()
    oracle = Transformers(folder)
    questions = questions_around(oracle, 12)
    model = resident(folder, batch_size=12)
    narrow_memory(model, 3, monkeypatch)
    assert_same(model.answer(questions), questions, oracle)
    assert model.batch_size == 3
    narrow_memory(model, 0, monkeypatch)
    with pytest.raises(CandidateError, match="out of memory"):
        model.answer(questions)


def narrow_memory(model: ResidentModel, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the model's embedding fail as torch's CPU allocator does when more than `rows` rows are read at once."""

    def check(_: object, arguments: tuple[torch.Tensor, ...]) -> None:
        if arguments[0].shape[0] > rows:
            torch.empty(2**55)

    monkeypatch.setattr(model.module.get_input_embeddings(), "_forward_pre_hooks", {0: check})
