"""Adapters of random numbers, trained and merged by peft."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM

from evomerge_core.errors import InputError
from evomerge_core.sources.source import Source, open_source


def train(base: Path, folder: Path, rows: int | None = None, **settings: Any) -> Path:
    """An adapter whose every trained number is random, saved by peft; `rows` is what the vocabulary is resized to first."""
    torch.manual_seed(1)
    network = AutoModelForCausalLM.from_pretrained(base)
    if rows is not None:
        network.resize_token_embeddings(rows, mean_resizing=False)
    model = get_peft_model(network, LoraConfig(**({"r": 4, "task_type": "CAUSAL_LM"} | settings)))
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    return folder


def merged_by_peft(base: Path, adapter: Path, rows: int | None = None) -> dict[str, Tensor]:
    """The tensors after merge_and_unload."""
    network = AutoModelForCausalLM.from_pretrained(base)
    if rows is not None:
        network.resize_token_embeddings(rows, mean_resizing=False)
    return dict(PeftModel.from_pretrained(network, adapter).merge_and_unload().named_parameters())


def opened(base: Path, adapter: Path) -> Source:
    return open_source(f"{base}+{adapter}", relative_to=Path())


def assert_reads_as_peft_merges(base: Path, adapter: Path, rows: int | None = None) -> Source:
    source = opened(base, adapter)
    expected = merged_by_peft(base, adapter, rows)
    assert set(source.names) == set(expected)
    for name in source.names:
        read = source.read(name)
        assert source.shape(name) == tuple(read.shape)
        assert source.dtype(name) == read.dtype
        torch.testing.assert_close(read, expected[name].data, rtol=1e-6, atol=1e-6)
        low_rank = source.low_rank(name)
        if low_rank is not None:
            whole = source.stored(name).double() + low_rank.scale * (low_rank.up.double() @ low_rank.down.double())
            torch.testing.assert_close(whole.float(), expected[name].data, rtol=1e-6, atol=1e-6)
    return source


def refusal(base: Path, adapter: Path, **options: bool) -> str:
    with pytest.raises(InputError) as caught:
        open_source(f"{base}+{adapter}", relative_to=Path(), **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def change_json(adapter: Path, **settings: object) -> Path:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return adapter
