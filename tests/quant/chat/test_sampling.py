"""Settings are checked, come from the file where it has any, and mean what they say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from transformers import AutoModelForCausalLM

from evomerge_core.errors import InputError
from evomerge_quant.chat.chat import Chat
from evomerge_quant.chat.conversation import Conversation
from evomerge_quant.chat.sampling import Sampler, Sampling, file_sampling
from evomerge_quant.llama.context import LlamaContext, TokenRun
from evomerge_quant.llama.model import open_gguf
from support.tiny_gguf import write_gguf


@pytest.mark.parametrize(
    "setting",
    [
        {"temperature": -0.1},
        {"top_p": 1.5},
        {"top_k": -1},
        {"min_p": 2.0},
        {"repeat_penalty": 0.0},
        {"max_tokens": 0},
        {"seed": -1},
    ],
)
def test_a_value_out_of_range_is_refused(setting: dict[str, Any]) -> None:
    name = next(iter(setting))
    with pytest.raises(InputError, match=name):
        Sampling(**setting)
    with pytest.raises(InputError, match=name):
        Sampling().changed(**setting)


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(InputError, match="temprature"):
        Sampling().changed(temprature=1)


def test_what_the_file_recommends_is_taken(chat_folder: Path, chat_file: Path, tmp_path: Path) -> None:
    advised = write_gguf(chat_folder, tmp_path / "a.gguf", general__sampling__temp=0.25, general__sampling__top_p=0.5)
    with open_gguf(advised) as model:
        assert file_sampling(model) == Sampling(temperature=0.25, top_p=0.5)
    with open_gguf(chat_file) as model:
        assert file_sampling(model) == Sampling()


def draw(file: Path, sampling: Sampling, times: int) -> Counter[int]:
    with open_gguf(file) as model, LlamaContext(model, cells=256) as context:
        context.read([TokenRun(0, 0, model.tokenize("the cat sat"), wanted=1)])
        with Sampler(model, sampling) as sampler:
            return Counter(sampler.choose(context) for _ in range(times))


def distribution(folder: Path, file: Path) -> np.ndarray:
    with open_gguf(file) as model:
        ids = model.tokenize("the cat sat")
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)(torch.tensor([ids])).logits[0, -1]
    return logits.double().numpy()


def test_draws_follow_the_models_distribution_at_the_temperature(chat_folder: Path, chat_file: Path) -> None:
    logits = distribution(chat_folder, chat_file) / 0.8
    expected = np.exp(logits - logits.max())
    expected /= expected.sum()
    times = 4000
    found = draw(chat_file, Sampling(temperature=0.8, top_k=0, top_p=1.0, min_p=0.0, seed=1), times)
    common = np.argsort(expected)[-8:]
    seen = [found[token] for token in common]
    assert (
        chisquare([*seen, times - sum(seen)], [*(times * expected[common]), times * (1 - expected[common].sum())]).pvalue > 1e-4
    )


def test_top_k_and_temperature_0_leave_out_the_rest(chat_folder: Path, chat_file: Path) -> None:
    best = np.argsort(distribution(chat_folder, chat_file))[::-1]
    assert set(draw(chat_file, Sampling(temperature=5.0, top_k=3, top_p=1.0, min_p=0.0, seed=1), 300)) == set(best[:3].tolist())
    assert set(draw(chat_file, Sampling(temperature=0.0), 20)) == {int(best[0])}


def test_a_seed_gives_the_same_answer_again(chat: Chat) -> None:
    def say(seed: int) -> str:
        sampling = Sampling(temperature=1.5, max_tokens=30, seed=seed)
        *_, reply = chat.reply(Conversation.begin(None).plus("user", "hi"), sampling, Event())
        return str(reply.text)  # type: ignore[union-attr]

    assert say(1) == say(1)
    assert say(1) != say(2)


def test_a_repeat_penalty_breaks_a_loop(chat: Chat) -> None:
    def distinct(penalty: float) -> int:
        sampling = Sampling(temperature=0, max_tokens=60, repeat_penalty=penalty)
        *_, reply = chat.reply(Conversation.begin(None).plus("user", "the cat"), sampling, Event())
        return len(set(reply.text)) if hasattr(reply, "text") else 0

    assert distinct(1.8) > distinct(1.0)
