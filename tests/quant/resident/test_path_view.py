"""Paths in the resident model: what they compute, what they keep apart, and that their folded child computes the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as Folder
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, DynamicCache

from evomerge_core.paths.fold import FOLDS
from evomerge_core.paths.path import Path
from evomerge_core.paths.path_merge import write_path
from evomerge_core.recipe.schema import Arithmetic
from evomerge_core.tasks.evaluator import Question
from evomerge_quant.resident.model import ResidentModel, build
from evomerge_quant.resident.network.path_view import view_path
from evomerge_quant.resident.network.plain_attention import fused_attention_works
from evomerge_quant.resident.network.skeleton import Precision
from support.path_models import CONFIGS, LAYERS, follow, random_path, resident, write_pair
from support.paths import own_path

IDS = torch.tensor([[30, 31, 140, 32, 299, 33, 77, 78, 41, 205], [45, 90, 91, 33, 34, 35, 222, 111, 60, 61]])
QUESTIONS = [
    Question(" ".join(f"w{(7 * i + 13 * j) % 250 + 30}" for j in range(3 + i)), gold=f"w{60 + i} w61", max_new_tokens=8)
    for i in range(9)
]


@pytest.fixture(autouse=True)
def _no_grad() -> Iterator[None]:
    with torch.no_grad():
        yield


def states(model: ResidentModel) -> Tensor:
    """Hidden states after the final norm."""
    out: Tensor = model.decoder(input_ids=IDS, use_cache=False).last_hidden_state
    return out


def transformers_states(model: Any) -> Tensor:
    out: Tensor = model.base_model(input_ids=IDS, use_cache=False).last_hidden_state
    return out


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_folded_child_computes_what_the_running_path_does(tmp_path: Folder, family: str, seed: int) -> None:
    pair, path = write_pair(tmp_path, family), random_path(seed)
    model = resident(pair)
    follow(model, pair, path)
    write_path(tmp_path / "child", pair.child(path), pair.sources, "evomerge_path: 1\n", "evomerge_path.yml")
    folded = AutoModelForCausalLM.from_pretrained(tmp_path / "child", dtype=torch.float32).eval()
    assert folded.config.num_hidden_layers == len(path.hops)
    running = states(model)
    assert running.abs().max() > 0.5
    assert (running - transformers_states(folded)).abs().max() < 1e-3
    # and so do logits, through the child's own head
    ours, theirs = model.module.get_output_embeddings()(running), folded.get_output_embeddings()(running)
    torch.testing.assert_close(ours, theirs)


def test_every_architecture_that_folds_was_compared() -> None:
    assert set(FOLDS) == set(CONFIGS)


def test_a_path_is_the_models_own_layers_one_after_the_other(tmp_path: Folder) -> None:
    """The definition, carried out by hand: each hop's input is the whole stream times the hop's scale."""
    pair, path = write_pair(tmp_path, "llama"), random_path(2)
    model = resident(pair)
    follow(model, pair, path)
    both: list[Any] = [AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval() for folder in pair.folders]
    first = both[0].model
    stream = first.embed_tokens(IDS)
    positions = torch.arange(IDS.shape[1])[None]
    rotary = first.rotary_emb(stream, positions)
    mask = torch.full((IDS.shape[1], IDS.shape[1]), torch.finfo(torch.float32).min).triu(1)[None, None]
    for hop in path.hops:
        layer = both[hop.source].model.layers[hop.layer]
        stream = layer(stream * hop.scale, attention_mask=mask, position_embeddings=rotary, position_ids=positions)
    torch.testing.assert_close(states(model), first.norm(stream), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "gemma3_text"])
def test_generation_with_a_cache_is_generation_without(tmp_path: Folder, family: str) -> None:
    """Repeated layers included: were two visits of a layer to share a place in the cache, this would fail."""
    pair, path = write_pair(tmp_path, family), random_path(3)
    assert len({(hop.source, hop.layer) for hop in path.hops}) < len(path.hops)
    model = resident(pair)
    follow(model, pair, path)
    head, view = model.module.get_output_embeddings(), model.decoder
    cached, plain = IDS, IDS
    cache = DynamicCache()
    new = cached
    for _ in range(8):
        out = view(input_ids=new, past_key_values=cache, use_cache=True).last_hidden_state
        new = head(out[:, -1]).argmax(-1, keepdim=True)
        cached = torch.cat([cached, new], dim=1)
        whole = view(input_ids=plain, use_cache=False).last_hidden_state
        plain = torch.cat([plain, head(whole[:, -1]).argmax(-1, keepdim=True)], dim=1)
    assert torch.equal(cached, plain)


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3_text"])
def test_the_resident_path_answers_as_its_child_does(tmp_path: Folder, family: str) -> None:
    """Batches, common prefix, gold answers as drafts and rows that leave: the same answers as the child as a plain model."""
    pair, path = write_pair(tmp_path, family), random_path(4)
    model = resident(pair)
    follow(model, pair, path)
    write_path(tmp_path / "child", pair.child(path), pair.sources, "evomerge_path: 1\n", "evomerge_path.yml")
    plain = build(tmp_path / "child", precision="fp32", device="cpu", batch_size=4)
    plain.load(AutoModelForCausalLM.from_pretrained(tmp_path / "child", dtype=torch.float32).state_dict().items())
    for ours, theirs in zip(model.answer(QUESTIONS), plain.answer(QUESTIONS), strict=True):
        assert (ours.text, ours.tokens) == (theirs.text, theirs.tokens)
        assert ours.gold_logprob == pytest.approx(theirs.gold_logprob, abs=1e-3)


@pytest.mark.parametrize("arithmetic", ["float32", "bfloat16"])
@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma3_text"])
def test_the_identity_path_is_the_first_model_bit_for_bit_in_bf16(
    tmp_path: Folder, family: str, arithmetic: Arithmetic
) -> None:
    pair = write_pair(tmp_path, family, "bfloat16")
    own = own_path(pair.pool)
    first: Any = AutoModelForCausalLM.from_pretrained(pair.folders[0], dtype=torch.bfloat16).eval()
    expected = transformers_states(first)
    view = view_path(first.base_model, [(hop.layer, hop.scale) for hop in own.hops])
    assert torch.equal(view(input_ids=IDS, use_cache=False).last_hidden_state, expected)
    model = resident(pair, "bf16", arithmetic)
    follow(model, pair, own)
    alone = build(pair.folders[0], precision="bf16", device="cpu", arithmetic=arithmetic)
    alone.load(first.state_dict().items())
    assert torch.equal(states(model), states(alone))
    # its own choice, or the one that the processor can: they differ in bfloat16's last bits
    attention = None if fused_attention_works(model.compute_dtype) else "eager"
    wide: Any = AutoModelForCausalLM.from_pretrained(
        pair.folders[0], dtype=model.compute_dtype, attn_implementation=attention
    ).eval()
    torch.testing.assert_close(states(model), transformers_states(wide), rtol=1e-5, atol=1e-5)
    assert arithmetic == "float32" or torch.equal(states(model), transformers_states(wide))
    write_path(tmp_path / "child", pair.child(own), pair.sources, "evomerge_path: 1\n", "evomerge_path.yml")
    child: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "child", dtype=torch.bfloat16).eval()
    assert torch.equal(transformers_states(child), expected)


@pytest.mark.parametrize("precision", ["nf4", "int5", "int8"])
def test_paths_share_every_weight_and_leave_the_model_as_it_was(tmp_path: Folder, precision: Precision) -> None:
    pair = write_pair(tmp_path, "llama")
    model = resident(pair, precision)
    model.follow([(layer, 1.0) for layer in range(2 * LAYERS)])
    plain = states(model)
    held = {parameter.data_ptr() for parameter in model.module.parameters()}
    for seed in range(3):
        follow(model, pair, random_path(seed))
        assert {parameter.data_ptr() for parameter in model.decoder.parameters()} <= held
        assert not torch.equal(states(model), plain)
    model.follow([(layer, 1.0) for layer in range(2 * LAYERS)])
    assert torch.equal(states(model), plain)


def test_loading_ends_a_path(tmp_path: Folder) -> None:
    pair = write_pair(tmp_path, "llama")
    model = resident(pair)
    before = states(model)
    follow(model, pair, Path(own_path(pair.pool).hops[:2]))
    assert not torch.equal(states(model), before)
    model.load(model.module.state_dict().items())
    assert torch.equal(states(model), before)
