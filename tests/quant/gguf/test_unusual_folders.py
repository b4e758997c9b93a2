"""Model folders that transformers reads and llama.cpp's converter doesn't: they are written anew before they are converted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM

from evomerge_core.sources.checkpoint import open_checkpoint
from evomerge_core.sources.checks.soundness import own_problems
from evomerge_core.sources.source import Source
from evomerge_quant.gguf.convert.convert import waiting_converter
from evomerge_quant.gguf.export import export
from evomerge_quant.gguf.plan import make_plan
from evomerge_quant.gguf.quantize.file_types import find_types
from evomerge_quant.gguf.subject.find_subject import find_subject
from support.gguf_models import make_model

State = dict[str, Tensor]


def under_the_heads_name(state: State) -> State:
    return {name.replace("model.embed_tokens", "lm_head"): tensor for name, tensor in state.items()}


def with_one_more_layer(state: State) -> State:
    more = {name.replace("layers.1.", "layers.2."): tensor.clone() for name, tensor in state.items() if "layers.1." in name}
    return state | more


def logits(folder: Path) -> Tensor:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)(torch.arange(3, 9)[None]).logits.detach()


@pytest.mark.parametrize("change", [under_the_heads_name, with_one_more_layer])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_such_a_model_is_written_anew(tmp_path: Path, change: Callable[[State], State], dtype: torch.dtype) -> None:
    folder = make_model(tmp_path / "model", "llama-tied", dtype=dtype, num_hidden_layers=2)
    assert find_subject(folder).folder == folder
    expected = logits(folder)
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})
    subject = find_subject(folder)
    assert subject.folder is None
    assert subject.merge is not None
    subject.merge(tmp_path / "written")
    written = open_checkpoint(tmp_path / "written")
    assert written.plain
    assert written.tied
    assert {written.dtype(name) for name in written.tensors} == {dtype}
    assert own_problems(Source("written", written)) == []
    assert torch.equal(logits(tmp_path / "written"), expected)
    assert subject.shapes.tensors == {name: written.facts(name).shape for name in written.tensors}


def test_its_file_holds_the_model_and_no_more(tmp_path: Path, converter: Path) -> None:
    folder = make_model(tmp_path / "model", "llama-tied", num_hidden_layers=2)
    path = folder / "model.safetensors"
    plain = load_file(path)
    save_file(under_the_heads_name(with_one_more_layer(plain)), path, metadata={"format": "pt"})
    plan = make_plan(find_subject(folder), find_types(["F32"], imatrix=False), tmp_path / "out", imatrix=False)
    with waiting_converter(converter) as process:
        (made,) = export(plan, process, lambda _: None, prove=None).files
    read = GGUFReader(made.path)
    assert read.fields["llama.block_count"].contents() == 2
    assert len(read.tensors) == len(plain)
    embedding = next(tensor for tensor in read.tensors if tensor.name == "token_embd.weight")
    np.testing.assert_array_equal(embedding.data, plain["model.embed_tokens.weight"].numpy())


def test_the_converter_looks_for_no_blocks_that_guess_ahead(converter: Path) -> None:
    """Its classes of Qwen3-Next and Qwen 3.5 assert that a model has some, unless they are told not to look."""
    script = (
        "import sys; from pathlib import Path; folder = Path(sys.argv[1]);"
        "sys.path[:0] = [str(folder), str(folder / 'gguf-py')];"
        "from evomerge_quant.gguf.convert.convert_process import _load; _load(folder);"
        "from conversion import get_model_class; print(get_model_class('Qwen3NextForCausalLM').no_mtp)"
    )
    ended = subprocess.run([sys.executable, "-P", "-c", script, str(converter)], capture_output=True, text=True, check=False)
    assert ended.stdout.split() == ["True"], ended.stderr
