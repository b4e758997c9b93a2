"""Whole runs on vision-language models: what they score is what the written child does in transformers."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.run_folder.delete import delete_run
from evomerge_core.run.setup import create_run, prepare
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.store.store import Store
from evomerge_core.run.view.progress import read_progress
from evomerge_core.tasks.items.item_files import load_items
from evomerge_quant.resident.vision import eyes
from evomerge_tui.processes.job import work
from support.seeing_oracle import Transformers
from support.seeing_runs import write_seeing_recipe
from support.tiny_run import scores, timeless
from support.vision_models import FAMILIES, IMAGE, MARKS, WORDS, write_text_model

# The other families answer as these do: tests/quant/resident/test_pictures.py.
READ = ("llava-next", "qwen3-vl", "gemma3")
# What Qwen's prompts have around a picture, whose tokens the tiny models' config.json names.
AROUND = {"qwen3-vl": MARKS[1:3]}


def made(recipe: Path, name: str = "run") -> Path:
    return create_run(load_recipe(recipe), out=recipe.parent / name)


def finish(run: Path) -> dict[str, Any]:
    assert work(run) == 0, read_progress(run).message
    result: dict[str, Any] = json.loads((run / "winner" / "result.json").read_text())
    return result


def body(folder: Path, family: str) -> dict[str, bytes]:
    """The bytes of all tensors that are no part of the language model, by stored name."""
    layout = FAMILIES[family]
    tensors = load_file(folder / "model.safetensors")
    return {n: t.numpy().tobytes() for n, t in tensors.items() if not n.startswith((layout.model, layout.head))}


@pytest.mark.parametrize("family", READ)
def test_a_run_s_losses_are_those_of_the_written_child_in_transformers(family: str, tmp_path: Path) -> None:
    recipe = write_seeing_recipe(tmp_path, family)
    run = made(recipe)
    finish(run)
    child = run / "winner" / "model"
    assert body(child, family) == body(tmp_path / "base", family)
    processor = "preprocessor_config.json"
    assert (child / processor).read_bytes() == (tmp_path / "base" / processor).read_bytes()
    items = {item.id: item for item in load_items(tmp_path / "items.jsonl")}
    store = Store(run / "run.db", read_only=True)
    winner = read_facts(store).winner
    assert winner is not None
    found = store.item_scores(winner, "test", "bf16")
    store.close()
    oracle = Transformers(child, family)
    assert len(found) == 4
    for score in found[:3]:
        item = items[score.item]
        (picture,) = item.pictures
        assert picture.file is not None
        question, answer = item.texts("question")[0], item.texts("answer")[0]
        gold = [int(answer.removeprefix("w")), 2]
        before, after = AROUND.get(family, ("", ""))
        wanted = oracle.logprob(f"w5 {before}{IMAGE}{after} w6 {question}", [picture.file], gold)
        assert score.loss == pytest.approx(-wanted / len(gold), abs=2e-3)
    kept = {path.stem for path in (run / "features").iterdir()}
    assert kept == {item.pictures[0].sha256 for item in items.values()}
    delete_run(run)
    assert not run.exists()


def test_a_run_that_is_cut_off_while_it_sees_or_scores_ends_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = write_seeing_recipe(tmp_path, "smolvlm")
    whole = made(recipe, "whole")
    result = finish(whole)
    cut = made(recipe, "cut")
    looks = 0

    class PowerCut(BaseException):
        pass

    def look(*args: Any) -> Any:
        nonlocal looks
        looks += 1
        if looks == 5:
            raise PowerCut
        return own_look(*args)

    own_look = eyes.look
    monkeypatch.setattr("evomerge_quant.resident.vision.kept_features.look", look)
    with pytest.raises(PowerCut):
        work(cut)
    first, second, *_ = sorted((cut / "features").iterdir())
    first.write_bytes(first.read_bytes()[:100])
    second.with_suffix(".part").write_bytes(b"half")
    assert timeless(finish(cut)) == timeless(result)
    # four were kept, one of which was cut short
    assert looks == 5 + 10 - 3
    assert scores(cut) == scores(whole)
    files = [(run / "winner" / "model" / "model.safetensors").read_bytes() for run in (whole, cut)]
    assert files[0] == files[1]


def test_texts_alone_are_asked_of_a_vision_language_model_too(tmp_path: Path) -> None:
    run = made(write_seeing_recipe(tmp_path, "llava", pictures=False))
    finish(run)
    assert body(run / "winner" / "model", "llava") == body(tmp_path / "base", "llava")
    assert not (run / "features").exists()


def test_a_tied_text_model_is_its_own_head_in_a_run_on_an_untied_base(tmp_path: Path) -> None:
    """As SmolLM2 is for SmolVLM."""
    recipe = load_recipe(write_seeing_recipe(tmp_path, "smolvlm"))
    rmtree(tmp_path / "text")
    stored = load_file(write_text_model(tmp_path / "text", "smolvlm", tie_word_embeddings=True) / "model.safetensors")
    head = prepare(recipe, tmp_path).sources["./text"].read("lm_head.weight")
    assert torch.equal(head[: len(WORDS)], stored["model.embed_tokens.weight"])
