"""lm-evaluation-harness on the resident model gives what its own backend gives on the same weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from support.tiny_models import ENDS, WORDS

lm_eval = pytest.importorskip("lm_eval", reason="needs the extra `harness`")

MakeFolder = Callable[..., Path]


@pytest.fixture
def folder(model_folder: MakeFolder) -> Path:
    place = model_folder("llama", seed=5)
    # an end token that no other word begins with: lm-evaluation-harness cuts answers at its text
    settings = {"eos_token": "w299", "pad_token": "w0", "tokenizer_class": "PreTrainedTokenizerFast"}
    (place / "tokenizer_config.json").write_text(json.dumps(settings))
    return place


@pytest.fixture
def ours(folder: Path) -> Any:
    from evomerge_quant.resident.harness import ResidentHarness
    from evomerge_quant.resident.model import build

    model = build(folder, precision="fp32", device="cpu", batch_size=4)
    model.load(load_file(folder / "model.safetensors").items())
    return ResidentHarness(model, folder)


@pytest.fixture
def theirs(folder: Path) -> Any:
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=1)


def tasks(place: Path) -> list[dict[str, Any]]:
    """A multiple-choice task and a generated one, their items in files."""
    rows = [
        {"question": f"w{30 + n} w{60 + 2 * n}", "choices": [f"w{40 + n}", f"w{90 + n} w41", "w77"], "answer": n % 3}
        for n in range(10)
    ]
    file = place / "items.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(file)}}, "test_split": "test"}
    return [
        {
            "task": "choose",
            **source,
            "output_type": "multiple_choice",
            "doc_to_text": "{{question}}",
            "doc_to_choice": "{{choices}}",
            "doc_to_target": "{{answer}}",
            "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
        },
        {
            "task": "write",
            **source,
            "output_type": "generate_until",
            "doc_to_text": "{{question}}",
            "doc_to_target": "w40",
            "generation_kwargs": {"until": ["w7"], "do_sample": False, "max_gen_toks": 12},
            "metric_list": [{"metric": "exact_match"}],
        },
    ]


def test_its_tasks_give_the_same_results_as_its_own_backend(
    folder: Path, ours: Any, theirs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evomerge_quant.resident.harness import run_harness

    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    found = run_harness(ours._model, folder, tasks(tmp_path))
    expected = lm_eval.simple_evaluate(model=theirs, tasks=tasks(tmp_path), bootstrap_iters=0)
    for task, metrics in (("choose", ("acc,none", "acc_norm,none")), ("write", ("exact_match,none",))):
        for metric in metrics:
            assert found["results"][task][metric] == expected["results"][task][metric]
    for name in ("choose", "write"):
        for mine, other in zip(found["samples"][name], expected["samples"][name], strict=True):
            assert _rounded(mine["resps"]) == _rounded(other["resps"])


def _rounded(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_rounded(element) for element in value]
    if isinstance(value, str):
        # the tiny vocabulary's end tokens are words, which the other backend leaves in the text
        kept = value.split()
        return kept[:-1] if kept and int(kept[-1][1:]) in ENDS else kept
    return pytest.approx(value, abs=1e-3) if isinstance(value, float) else value


def test_whole_texts_follow_the_start_token(ours: Any, theirs: Any) -> None:
    from lm_eval.api.instance import Instance

    texts = [f"w{n} w{n + 7} w{n + 1}" for n in range(30, WORDS - 20, 60)]
    requests = [Instance("loglikelihood_rolling", {}, (text,), number) for number, text in enumerate(texts)]
    assert ours.loglikelihood_rolling(requests) == pytest.approx(theirs.loglikelihood_rolling(requests), abs=1e-3)


def test_a_model_in_8_bits_answers_as_what_its_codes_stand_for(folder: Path, tmp_path: Path) -> None:
    """The other backend gets gguf-py's values in a checkpoint."""
    from gguf import GGMLQuantizationType, dequantize, quantize
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    from evomerge_quant.resident.harness import ResidentHarness
    from evomerge_quant.resident.model import build

    def held(name: str, tensor: torch.Tensor) -> torch.Tensor:
        if "_proj.weight" not in name:
            return tensor.bfloat16().float()
        values = dequantize(quantize(tensor.numpy(), GGMLQuantizationType.Q8_0), GGMLQuantizationType.Q8_0)
        return torch.from_numpy(values)

    weights = load_file(folder / "model.safetensors")
    model = build(folder, precision="int8", device="cpu", batch_size=4)
    model.load(weights.items())
    dequantised = shutil.copytree(folder, tmp_path / "dequantised")
    save_file(
        {name: held(name, tensor) for name, tensor in weights.items()}, dequantised / "model.safetensors", {"format": "pt"}
    )
    theirs = HFLM(pretrained=str(dequantised), dtype="float32", device="cpu", batch_size=1)
    pairs = [(f"w{30 + n} w{70 + n}", f" w{100 + n} w{41 + n}") for n in range(12)]
    requests = [Instance("loglikelihood", {}, pair, number) for number, pair in enumerate(pairs)]
    found, expected = (backend.loglikelihood(requests) for backend in (ResidentHarness(model, folder), theirs))
    assert [one[0] for one in found] == pytest.approx([one[0] for one in expected], abs=1e-3)
    assert [one[1] for one in found] == [one[1] for one in expected]


def test_sampling_is_refused(ours: Any) -> None:
    from lm_eval.api.instance import Instance

    from evomerge_core.errors import InputError

    request = Instance("generate_until", {}, ("w30", {"do_sample": True, "temperature": 0.7}), 0)
    with pytest.raises(InputError, match="greedily"):
        ours.generate_until([request])


def test_scoring_tasks_writes_no_stray_line(
    ours: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from evomerge_quant.resident.harness import run_harness

    monkeypatch.chdir(tmp_path)  # no git repository
    capfd.readouterr()
    assert run_harness(ours._model, folder, tasks(tmp_path))["results"]
    assert capfd.readouterr().err == ""
