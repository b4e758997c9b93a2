"""The bench of crosses: its items by arithmetic done again here, its adapters' noise by numpy, its folders by the product."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

sys.path.append(str(Path(__file__).parent / "benchmarks"))

from crosses.adapters import CONFIG, WEIGHTS, make_adapter, write_random
from crosses.bench import CROSSES
from crosses.cross import Cross, RandomLike, Trained
from crosses.recipe_folder import write_cross
from crosses.table import WAYS, Done, carry_out_one, read_done, table
from run_outcome import Outcome

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.setup import prepare
from evomerge_core.search.cma_es import CmaEs
from evomerge_core.tasks.language.detection import is_language
from evomerge_core.tasks.scorers.final_number import last_number
from support.tiny_run import save_model, write_recipe


@pytest.mark.parametrize("cross", CROSSES.values(), ids=CROSSES)
def test_every_correct_answer_scores_and_every_question_is_new(cross: Cross) -> None:
    items = cross.items(300, 1)
    questions = [item["question"] for item in items]
    assert len(set(questions)) == 300
    assert cross.items(300, 1) == items
    assert cross.items(300, 2) != items
    for item in items:
        assert last_number(item["gold"]) == {int(item["answer"])}
        assert cross.language is None or is_language(item["gold"], cross.language), item["gold"]
    trained = {question for adapter in cross.adapters if isinstance(adapter, Trained) for question, _ in adapter.pairs()}
    assert not trained & set(questions)


def test_two_steps_are_a_sum_and_a_difference() -> None:
    for item in CROSSES["two-steps"].items(300, 1):
        a, b, c = map(int, re.findall(r"[0-9]+", item["question"]))
        assert int(item["answer"]) == a + b - c > 0


def test_comparing_is_the_largest_the_smallest_the_median_or_a_count() -> None:
    for item in CROSSES["comparing-german"].items(300, 1):
        numbers, question = [int(n) for n in re.findall(r"[0-9]+", item["question"])], item["question"]
        if "words" in question:
            expected = question.split(":")[1].count(",") + 1
        elif "smallest" in question:
            expected = min(numbers)
        elif "middle" in question:
            expected = int(np.median(numbers))
        else:
            expected = max(numbers)
        assert int(item["answer"]) == expected


@pytest.mark.parametrize(
    "adapter", {a.name: a for c in CROSSES.values() for a in c.adapters if isinstance(a, Trained)}.values()
)
def test_training_pairs_are_all_different_and_the_same_each_time(adapter: Trained) -> None:
    pairs = adapter.pairs()
    assert len({question for question, _ in pairs}) == len(pairs)
    assert adapter.pairs() == pairs


def lora(folder: Path, model: Path, rank: int) -> Path:
    """A LoRA adapter of the tiny model's attention outputs, larger from layer to layer."""
    draws, tensors = torch.Generator().manual_seed(rank), {}
    for name, weight in load_file(model / "model.safetensors").items():
        if "o_proj" in name:
            module, (out, wide) = f"base_model.model.{name.removesuffix('.weight')}", weight.shape
            tensors[f"{module}.lora_A.weight"] = (1 + 30 * len(tensors)) * torch.randn(rank, wide, generator=draws)
            tensors[f"{module}.lora_B.weight"] = torch.randn(out, rank, generator=draws)
    folder.mkdir(parents=True)
    save_file(tensors, folder / WEIGHTS)
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": rank, "target_modules": ["o_proj"], "bias": "none"}
    (folder / CONFIG).write_text(json.dumps(config))
    return folder


def products(folder: Path) -> list[np.ndarray]:
    tensors = {name: tensor.float().numpy() for name, tensor in load_file(folder / WEIGHTS).items()}
    names = sorted(name for name in tensors if ".lora_A." in name)
    return [tensors[name.replace("lora_A", "lora_B")] @ tensors[name] for name in names]


def test_noise_is_as_long_as_what_it_stands_for_and_points_elsewhere(tmp_path: Path) -> None:
    save_model(tmp_path / "base", 0)
    like = lora(tmp_path / "like", tmp_path / "base", 4)
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        write_random(RandomLike(name, "arithmetic", seed), like, tmp_path / name)
    for noise, known in zip(products(tmp_path / "one"), products(like), strict=True):
        assert np.linalg.norm(noise) == pytest.approx(np.linalg.norm(known), rel=0.01)  # bf16 rounds
        assert abs((noise * known).sum()) < 0.2 * np.linalg.norm(known) ** 2
    assert (tmp_path / "one" / WEIGHTS).read_bytes() == (tmp_path / "again" / WEIGHTS).read_bytes()
    assert (tmp_path / "one" / WEIGHTS).read_bytes() != (tmp_path / "other" / WEIGHTS).read_bytes()


def test_an_adapter_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    noise = RandomLike("noise", "arithmetic", 1)
    made = make_adapter(noise, tmp_path, tmp_path / "adapters")
    (made / "kept").touch()
    assert make_adapter(noise, tmp_path, tmp_path / "adapters") == made
    assert (made / "kept").exists()


@pytest.mark.parametrize("cross", CROSSES.values(), ids=CROSSES)
def test_every_cross_becomes_a_recipe_that_opens(cross: Cross, tmp_path: Path) -> None:
    save_model(tmp_path / "base", 0, num_hidden_layers=4)
    adapters = [lora(tmp_path / "made" / adapter.name, tmp_path / "base", 2) for adapter in cross.adapters]
    path = write_cross(cross, tmp_path / "base", adapters, tmp_path / "cross")
    setup = prepare(load_recipe(path), path.parent)
    (task,) = setup.plan.tasks
    assert list(setup.parents) == [adapter.name for adapter in cross.adapters]
    assert task.language == (cross.language or "")
    assert [setup.plan.items(split) for split in ("search", "validation", "test")] == [48, 48, 200]
    assert setup.stages[0].space.dimension == 4 * len(cross.adapters)
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["base"] == str(tmp_path / "base")


def test_random_search_is_one_generation_spread_over_the_box() -> None:
    way = WAYS["random"](400)
    low, high = np.zeros(3), np.full(3, 2.0)
    search = CmaEs(low, high, np.ones(3), sigma=way["sigma"], population=way["population"], seed=1)
    genomes = np.array(search.ask())
    assert len(genomes) == 401
    # an even draw has 1/4 in each quarter of the range
    quarters = np.histogram(genomes, bins=4, range=(0.0, 2.0))[0] / genomes.size
    assert quarters == pytest.approx([0.25] * 4, abs=0.06)


def test_a_run_leaves_its_outcome_and_nothing_else(tmp_path: Path) -> None:
    write_recipe(tmp_path / "cross")
    found = carry_out_one(str(tmp_path / "cross"), "nf4", "random", 1, 5, tmp_path / "runs")
    assert 0.0 <= found.low <= found.test <= found.high <= 1.0
    assert found.shipped is not None
    assert found.tokens > 0
    assert not list((tmp_path / "runs").iterdir())


def outcome(test: float, tokens: int, p: float | None = None) -> Outcome:
    return Outcome(
        test=test, low=0.0, high=1.0, validation=test + 0.1, shipped=None, parent=0.0, merge=0.3, beats_merge=p,
        declared=p is not None, tokens=tokens, seconds=1.0,
    )  # fmt: skip


def cells(rows: Sequence[str], way: str) -> list[str]:
    (row,) = (row for row in rows if f"| {way} |" in row)
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_table_counts_seeds_and_takes_medians() -> None:
    raced = ((0.5, 100, 0.001), (0.2, 300, None), (0.3, 200, None))
    runs = [Done("plain", "bf16", "racing", seed, 80, outcome(*one)) for seed, one in enumerate(raced)]
    runs += [Done("plain", "bf16", "full", 0, 80, outcome(0.4, 800, 0.02))]
    rows = table(runs)
    assert cells(rows, "best equal-weight merge")[4] == "30.0"
    # median of 50, 20, 30; worst; two of three are at least 30 %; one at p < 0.01; 10 points below validation; 200 of 800
    assert cells(rows, "racing")[3:] == ["3", "30.0", "20.0", "", "2", "1", "-10.0", "1", "200", "25 %"]
    assert cells(rows, "full")[3:] == ["1", "40.0", "40.0", "", "1", "0", "-10.0", "1", "800", "100 %"]


def test_outcomes_are_read_as_they_were_kept(tmp_path: Path) -> None:
    done = Done("plain", "nf4", "full", 3, 80, outcome(0.4, 800, 0.02))
    (tmp_path / "outcomes.jsonl").write_text(json.dumps(asdict(done)) + "\n")
    assert list(read_done(tmp_path / "outcomes.jsonl")) == [done]
    assert list(read_done(tmp_path / "none.jsonl")) == []
