"""Runs whose child speaks with another tokenizer than the base's folder holds: a grown adapter's, or a source's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from evomerge_core.fixed_merge.fixed_merge import stream_fixed
from evomerge_core.merging.config import whole_model
from evomerge_core.merging.engine import MergeEngine
from evomerge_core.recipe.absolute_paths import with_absolute_paths
from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.loop import run
from evomerge_core.run.run_folder.folder import open_store
from evomerge_core.run.run_folder.names import RECIPE
from evomerge_core.run.setup import Setup, create_run, prepare
from evomerge_core.run.verdict.finish import finish
from evomerge_core.tasks.evaluator import Evaluator, Question
from evomerge_quant.gguf.plan import gguf_bytes
from evomerge_quant.planning.preflight import preflight
from evomerge_quant.resident.model import build, evaluators
from evomerge_tui.cli.main import main
from evomerge_tui.screens.new_run.draft import Draft, without_source
from support.speaking_models import CHATML, TURNS, read, write_speaking, write_tokenizer

END = 281
TASK = {
    "name": "sums",
    "file": "items.jsonl",
    "prompt": "{question}",
    "scorer": "final_number",
    "max_new_tokens": 4,
}


def write_recipe(folder: Path, **changes: Any) -> Path:
    items = [{"question": f"{n} + {n + 1} =", "answer": str(2 * n + 1)} for n in range(40)]
    (folder / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    recipe = {
        "evomerge": 1,
        "name": "speaking",
        "search_space": {"method": "task_arithmetic", "groups": "whole"},
        "tasks": [TASK],
        "splits": {"search": 8, "validation": 4, "test": 4},
        "budget": {"evaluations": 4},
        "search": {"racing": False},
        "evaluation": {"precision": "fp32", "device": "cpu", "coherence": False},
        **changes,
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    return folder / "recipe.yaml"


def write_grown_adapter(folder: Path, base: Path) -> None:
    """Two new tokens, embedding and head trained, and a tokenizer that ends turns with the second."""
    network = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32)
    network.resize_token_embeddings(282, mean_resizing=False)
    torch.manual_seed(3)
    settings = LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"], init_lora_weights=False)
    get_peft_model(network, settings).save_pretrained(folder)
    write_tokenizer(folder, TURNS, eos="<|im_end|>", template=CHATML)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speaking")
    base = write_speaking(folder / "base")
    write_speaking(folder / "alpaca", seed=1, like=base)
    write_speaking(folder / "chatml", TURNS, eos="<|im_end|>", template=CHATML, seed=2, like=base)
    write_grown_adapter(folder / "adapter", base)
    return folder


def carried_out(folder: Path) -> tuple[Setup, Path]:
    """The finished run's setup, and its winner's model folder."""
    setup, store = prepare(load_recipe(folder / RECIPE), folder), open_store(folder)
    winner = run(setup, store, evaluators(setup.base_folder, "cpu", "float32", setup.speaks))
    finish(setup, store, winner, folder, gguf_bytes)
    store.close()
    return setup, folder / "winner" / "model"


RUNS: dict[str, dict[str, Any]] = {
    "a grown adapter on the base": {"base": "base+adapter", "sources": ["chatml"]},
    "a source's tokenizer": {"base": "base", "sources": ["alpaca", "chatml"], "tokenizer_source": "chatml"},
}


@pytest.mark.parametrize("case", RUNS)
def test_the_winner_speaks_as_it_was_scored(models: Path, tmp_path: Path, case: str) -> None:
    recipe = load_recipe(write_recipe(models, **RUNS[case]))
    setup, winner = carried_out(create_run(recipe, out=tmp_path / "run"))
    assert read(winner / "config.json")["vocab_size"] == 282
    network, tokenizer = AutoModelForCausalLM.from_pretrained(winner), AutoTokenizer.from_pretrained(winner)
    assert (tokenizer.eos_token_id, tokenizer.chat_template) == (END, CHATML)
    assert END in network.generation_config.eos_token_id
    # questions were put in the tokenizer's own template
    prompt = setup.plan.asked["test"][0].question.prompt
    assert prompt.startswith("<|im_start|>user\n")
    resident = build(winner, precision="fp32", device="cpu")
    child = AutoModelForCausalLM.from_pretrained(winner, dtype=torch.float32)
    resident.load(child.state_dict().items())
    assert gold_logprob(resident, prompt, "7") == pytest.approx(expected_logprob(child, winner, prompt, "7"), abs=1e-3)


def test_a_parent_is_scored_in_the_childs_vocabulary(models: Path) -> None:
    """As transformers' own network of it, with the rows that it lacks taken from the tokenizer's model."""
    recipe = load_recipe(write_recipe(models, base="base", sources=["alpaca", "chatml"], tokenizer_source="chatml"))
    setup = prepare(with_absolute_paths(recipe), models)
    assert (setup.speaks.rows, setup.speaks.ends) == (282, (END, 2))
    resident = evaluators(setup.base_folder, "cpu", "float32", setup.speaks)("fp32", None, None)
    engine = MergeEngine(setup.sources, out_dtype=torch.float32)
    resident.load(stream_fixed(whole_model(setup.parents["alpaca"], setup.tokenizer), setup.sources, engine))
    alpaca, chatml = (AutoModelForCausalLM.from_pretrained(models / name, dtype=torch.float32) for name in ("alpaca", "chatml"))
    alpaca.resize_token_embeddings(282, mean_resizing=False)
    with torch.no_grad():
        for ours, theirs in zip(ends(alpaca), ends(chatml), strict=True):
            ours[280:] = theirs[280:]
    assert gold_logprob(resident, "1 + 2 =", "3") == pytest.approx(
        expected_logprob(alpaca, models / "chatml", "1 + 2 =", "3"), abs=1e-3
    )


def ends(network: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return network.get_input_embeddings().weight, network.get_output_embeddings().weight


def gold_logprob(resident: Evaluator, prompt: str, gold: str) -> float:
    (answer,) = resident.answer([Question(prompt, gold=gold)])
    return answer.gold_logprob


def expected_logprob(network: Any, folder: Path, prompt: str, gold: str) -> float:
    """The log-probability that transformers' network gives the correct answer and <|im_end|> after the prompt."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    before = tokenizer.encode(prompt, add_special_tokens=False)
    whole = [*tokenizer.encode(prompt + gold, add_special_tokens=False), END]
    with torch.no_grad():
        logprobs = network(torch.tensor([whole])).logits[0].log_softmax(-1)
    return sum(float(logprobs[at - 1, whole[at]]) for at in range(len(before), len(whole)))


def test_preflight_offers_a_remedy_that_works(models: Path, tmp_path: Path) -> None:
    def problems(**changes: Any) -> list[str]:
        recipe = load_recipe(write_recipe(models, base="base", sources=["alpaca", "chatml"], **changes))
        checks = preflight(recipe, out=tmp_path / "none").checks
        return [
            f"{check.text}; {check.remedy}" for check in checks if check.state == "problem" and check.subject == "Compatibility"
        ]

    (first, *_) = problems()
    offered = first.split("`tokenizer_source: ")[1].split("`")[0]
    assert offered.endswith("chatml")
    for name in (offered, "chatml", "base", "alpaca"):
        assert problems(tokenizer_source=name) == []


def test_an_unknown_tokenizer_is_one_line(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_recipe(models, base="base", sources=["chatml"], tokenizer_source="chatlm")
    assert main(["preflight", str(path)]) == 2
    said = capsys.readouterr().err
    assert "key 'tokenizer_source': unknown model 'chatlm'; did you mean 'chatml'?" in said
    assert said.count("\n") == 1


def test_the_run_keeps_whose_tokenizer_it_is(models: Path, tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(models, base="base", sources=["alpaca", "chatml"], tokenizer_source="./chatml"))
    folder = create_run(recipe, out=tmp_path / "run")
    assert yaml.safe_load((folder / RECIPE).read_text(encoding="utf-8"))["tokenizer_source"] == "chatml"


def test_a_draft_knows_whose_tokenizer_its_child_takes(tmp_path: Path) -> None:
    draft = Draft({"base": "b/base", "sources": [{"model": "o/one"}, {"model": "o/two", "name": "second"}]}, tmp_path)
    assert draft.tokenizer == "b/base"
    for named, model in (("base", "b/base"), ("o/one", "o/one"), ("second", "o/two")):
        assert draft.put(named, "tokenizer_source").tokenizer == model
    assert without_source(draft.put("second", "tokenizer_source"), "o/two").get("tokenizer_source") is None
    assert without_source(draft.put("second", "tokenizer_source"), "o/one").get("tokenizer_source") == "second"
