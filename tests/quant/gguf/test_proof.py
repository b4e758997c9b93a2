"""A proof measures what transformers and llama-cpp-python's own class measure, and calls a damaged file suspect."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType
from llama_cpp import Llama, llama_cpp
from safetensors.torch import load_file, save_file
from scipy.special import log_softmax, rel_entr
from transformers import AutoModelForCausalLM

from evomerge_core.errors import InputError
from evomerge_core.tasks.evaluator import Answer, Question
from evomerge_quant.gguf.proof import measurement
from evomerge_quant.gguf.proof.bounds import bounds_of
from evomerge_quant.gguf.proof.proof import Proof, prove_against
from evomerge_quant.gguf.proof.proof_items import ProofItem, proof_items_default
from evomerge_quant.gguf.proof.reference import Reference
from evomerge_quant.llama.library import has_amx
from support.tiny_gguf import save_folder, write_gguf

GOLDS = (" the dog ran", " one two", " größe 12", "")


def question(number: int) -> Question:
    prompt = f"<|im_start|>user\nthe cat sat on {number} mats<|im_end|>\n"
    return Question(prompt=prompt, gold=GOLDS[number % len(GOLDS)], max_new_tokens=6)


def starts_like(expected: str) -> ProofItem:
    return ProofItem(question(0), lambda answer: float(answer.text == expected))


ITEMS = tuple(ProofItem(question(number)) for number in range(12))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_folder(tmp_path_factory.mktemp("proof") / "model")


@pytest.fixture(scope="module")
def reference(folder: Path) -> Reference:
    return Reference(folder, ITEMS)


@pytest.fixture(scope="module")
def sound(folder: Path) -> Path:
    return write_gguf(folder, folder.with_name("sound.gguf"), kind=GGMLQuantizationType.F16)


def texts(reference: Reference) -> list[list[int]]:
    return [[*row.prompt, *row.gold[:-1]] for row in reference.rows]


def test_a_sound_file_passes(reference: Reference, sound: Path) -> None:
    proof = prove_against(reference, sound, type_name="F16")
    assert proof.passed
    assert proof.failures == ()
    assert proof.token_ids_equal
    assert proof.items == len(ITEMS)
    assert proof.mean_kl is not None
    assert proof.mean_kl < 1e-4
    assert proof.greedy_agreement is not None
    assert proof.greedy_agreement > 0.8
    assert proof.score is None


@pytest.fixture
def without_amx(monkeypatch: pytest.MonkeyPatch) -> None:
    """llama-cpp-python's own class on processors with AMX, where its product of repacked weights ends the process."""
    defaults = llama_cpp.llama_model_default_params

    def plain() -> Any:
        params = defaults()
        params.use_extra_bufts = params.use_extra_bufts and not has_amx()
        return params

    monkeypatch.setattr(llama_cpp, "llama_model_default_params", plain)


@pytest.mark.usefixtures("without_amx")
def test_kl_is_what_scipy_makes_of_transformers_and_llama_cpp_pythons_logits(
    folder: Path, reference: Reference, tmp_path: Path
) -> None:
    file = write_gguf(folder, tmp_path / "rough.gguf", kind=GGMLQuantizationType.Q8_0, noise=0.05)
    proof = prove_against(reference, file, type_name="Q8_0")

    oracle = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    llama = Llama(str(file), n_ctx=256, logits_all=True, verbose=False)
    seen: dict[tuple[int, ...], tuple[float, bool]] = {}
    for tokens in texts(reference):
        with torch.no_grad():
            wanted = oracle(torch.tensor([tokens])).logits[0].double().numpy()
        llama.reset()
        llama.eval(tokens)
        found = np.array(llama.scores[: len(tokens)], dtype=np.float64)
        p, q = np.exp(log_softmax(wanted, axis=1)), np.exp(log_softmax(found, axis=1))
        for at, kl in enumerate(rel_entr(p, q).sum(axis=1)):
            # positions that several texts share from the start are one
            seen[tuple(tokens[: at + 1])] = (kl, wanted[at].argmax() == found[at].argmax())
    llama.close()
    shared = len(reference.prefix)
    counted = shared + sum(len(tokens) - shared for tokens in texts(reference))
    again = [seen[tuple(texts(reference)[0][: at + 1])] for at in range(shared)]
    again += [seen[tuple(tokens[: at + 1])] for tokens in texts(reference) for at in range(shared, len(tokens))]
    assert proof.positions == counted
    assert proof.mean_kl == pytest.approx(np.mean([kl for kl, _ in again]), rel=0.02)
    assert proof.max_kl == pytest.approx(max(kl for kl, _ in again), rel=0.05)
    assert proof.top1_agreement == pytest.approx(np.mean([same for _, same in again]), abs=0.03)


def test_greedy_agreement_is_what_two_free_runs_have_in_common(folder: Path, reference: Reference, tmp_path: Path) -> None:
    file = write_gguf(folder, tmp_path / "rough.gguf", noise=0.1)
    proof = prove_against(reference, file, type_name="Q8_0")
    oracle = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    llama = Llama(str(file), n_ctx=256, verbose=False)
    agreed = total = 0
    for row in reference.rows:
        out = oracle.generate(
            torch.tensor([row.prompt]), do_sample=False, max_new_tokens=6, eos_token_id=[0, 2], pad_token_id=0
        )
        wanted = out[0, len(row.prompt) :].tolist()
        found = []
        for token in llama.generate(row.prompt, temp=0.0, repeat_penalty=1.0):
            found.append(token)
            if len(found) == 6 or token in (0, 2):
                break
        same = [own == other for own, other in zip(found, wanted, strict=False)]
        agreed += same.index(False) if False in same else len(same)
        total += len(found)
    llama.close()
    assert proof.greedy_agreement == pytest.approx(agreed / total, abs=0.05)


def damaged_weights(folder: Path, path: Path) -> Path:
    return write_gguf(folder, path, noise=0.5)


def another_tokenizer(folder: Path, path: Path) -> Path:
    """As many tokens, other merges."""
    other = save_folder(path.with_suffix(""), merges=40)
    file = other / "tokenizer.json"
    content = json.loads(file.read_text())
    vocabulary = content["model"]["vocab"]
    ordinary = [token for token, number in vocabulary.items() if number > 2]
    swapped = dict(zip(ordinary, reversed(ordinary), strict=True))
    content["model"]["vocab"] = {swapped.get(token, token): number for token, number in vocabulary.items()}
    file.write_text(json.dumps(content))
    return write_gguf(folder, path, tokenizer_folder=other)


def smaller_vocabulary(_: Path, path: Path) -> Path:
    return write_gguf(save_folder(path.with_suffix(""), merges=0), path)


def weights_that_are_no_numbers(folder: Path, path: Path) -> Path:
    other = shutil.copytree(folder, path.with_suffix(""))
    tensors = load_file(other / "model.safetensors")
    tensors["model.layers.1.mlp.down_proj.weight"][0, 0] = float("nan")
    save_file(tensors, other / "model.safetensors")
    return write_gguf(other, path)


def no_gguf_at_all(_: Path, path: Path) -> Path:
    path.write_bytes(b"nothing")
    return path


def another_end(folder: Path, path: Path) -> Path:
    """The token that ends an answer is an ordinary one in the file."""
    other = shutil.copytree(folder, path.with_suffix(""))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        file = other / name
        file.write_text(file.read_text().replace("<|im_end|>", "<|ready|>"))
    return write_gguf(other, path, tokenizer_folder=other, end=5)


DAMAGE = {
    damaged_weights: "mean KL",
    another_tokenizer: "other token ids",
    smaller_vocabulary: "token",
    weights_that_are_no_numbers: "",
    no_gguf_at_all: "is not a GGUF file",
    another_end: "does not end it",
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("type_name", ["Q4_K_M", "F16"])
def test_a_damaged_file_fails_and_says_why(
    damage: object, type_name: str, folder: Path, reference: Reference, tmp_path: Path
) -> None:
    file = damage(folder, tmp_path / "bad.gguf")  # type: ignore[operator]
    proof = prove_against(reference, file, type_name=type_name)
    assert not proof.passed
    assert DAMAGE[damage] in " ".join(proof.failures)  # type: ignore[index]
    assert all("\n" not in failure for failure in proof.failures)
    json.dumps(proof.to_json(), allow_nan=False)


def prove_scored(folder: Path, file: Path, expected: str, copies: int) -> Proof:
    return prove_against(Reference(folder, [starts_like(expected)] * copies), file, type_name="Q4_K_M")


def test_a_lost_score_fails_when_luck_alone_cannot_explain_it(folder: Path, reference: Reference, tmp_path: Path) -> None:
    said = reference.answers[0].text
    file = write_gguf(folder, tmp_path / "bad.gguf", noise=0.5)
    proof = prove_scored(folder, file, said, 12)
    assert (proof.reference_score, proof.score) == (1.0, 0.0)
    assert any("score falls by 100.0 points" in failure for failure in proof.failures)
    # a file that scores higher than the model is no worse for it
    better = prove_scored(folder, file, "something else", 12)
    assert not any("score" in failure for failure in better.failures)


def test_scores_are_weighted(folder: Path, sound: Path) -> None:
    items = [
        ProofItem(question(0), lambda _: 1.0, weight=3.0),
        ProofItem(question(1), lambda _: 0.0, weight=1.0),
    ]
    assert prove_against(Reference(folder, items), sound, type_name="F16").score == pytest.approx(0.75)


def test_of_long_texts_the_last_positions_are_compared(folder: Path, sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "_LOGITS_OF_ONE", 10 * 299)
    items = [ProofItem(Question(prompt=f"{start} cat sat on the mat and ran" * 4, max_new_tokens=1)) for start in ("a", "the")]
    proof = prove_against(Reference(folder, items), sound, type_name="F16")
    assert proof.positions == 20
    assert proof.passed


def test_progress_goes_from_nothing_to_all(reference: Reference, sound: Path) -> None:
    seen: list[float] = []
    prove_against(reference, sound, type_name="F16", on_progress=lambda _what, share: seen.append(share))
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)


def test_neutral_prompts_do_for_a_folder_without_a_run(folder: Path, sound: Path) -> None:
    items = proof_items_default()
    assert len({item.question.prompt for item in items}) >= 36
    proof = prove_against(Reference(folder, items), sound, type_name="F16")
    assert proof.passed, proof.failures
    assert proof.token_ids_equal


def test_few_items_allow_a_larger_drop() -> None:
    bounds = bounds_of("Q8_0")
    assert bounds.mean_kl == 5e-3
    assert bounds.score_drop(10**9) == pytest.approx(0.03, abs=1e-5)
    # and 1.645 standard errors of a share of 0.03 on 48 items
    assert bounds.score_drop(48) == pytest.approx(0.03 + 1.645 * (0.03 / 48) ** 0.5)


def test_bounds_are_wider_for_small_models_and_coarse_types() -> None:
    assert bounds_of("F16").mean_kl == bounds_of("F16", parameters=10**8).mean_kl == 1e-4
    assert bounds_of("Q8_0", parameters=10**8).mean_kl == 0.015
    by_size = [bounds_of(name).mean_kl for name in ("F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "IQ1_S")]
    assert by_size == sorted(by_size)
    assert bounds_of("F16", reference_precision="bf16").mean_kl > 1e-3


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        Reference(tmp_path, ITEMS)


def test_the_reference_answers_as_the_resident_model(reference: Reference) -> None:
    assert all(isinstance(answer, Answer) and answer.tokens for answer in reference.answers)
