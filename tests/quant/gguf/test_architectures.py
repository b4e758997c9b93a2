"""Every family comes out of the export as what went in: llama.cpp's logits are transformers', on the same tokens."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from evomerge_quant.gguf.convert.convert import run_converter, waiting_converter
from evomerge_quant.gguf.export import export
from evomerge_quant.gguf.plan import make_plan
from evomerge_quant.gguf.prover import prover
from evomerge_quant.gguf.quantize.file_types import FILE_TYPES, find_types
from evomerge_quant.gguf.quantize.quantize import quantize
from evomerge_quant.gguf.subject.find_subject import find_subject
from evomerge_quant.llama.context import LlamaContext, TokenRun
from evomerge_quant.llama.model import open_gguf
from support.gguf_models import FAMILIES, make_model

TEXTS = ("The quick brown fox", "boils at 100 degrees, doesn't it?", "  two  spaces,\ttabs\nand größer 東京 🙂")


def llama_logits(gguf: Path, tokens: list[int]) -> np.ndarray:
    with open_gguf(gguf) as model, LlamaContext(model, cells=len(tokens)) as context:
        return context.read([TokenRun(0, 0, tokens, wanted=len(tokens))])[0]


@torch.inference_mode()
def transformers_logits(folder: Path, tokens: list[int]) -> np.ndarray:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model(torch.tensor([tokens])).logits[0].numpy()


def mean_kl(wanted: np.ndarray, found: np.ndarray) -> float:
    """Of the next-token distributions, in nats."""
    p, q = (torch.log_softmax(torch.from_numpy(logits).double(), dim=-1) for logits in (wanted, found))
    return float((p.exp() * (p - q)).sum(dim=-1).mean())


def require_same_logits(folder: Path, files: Iterable[Path]) -> None:
    tokens = torch.randint(3, 300, (40,), generator=torch.Generator().manual_seed(1)).tolist()
    wanted = transformers_logits(folder, tokens)
    for path in files:
        found = llama_logits(path, tokens)
        # What is left is llama.cpp's 16-bit keys and values; a tensor that is wrong makes it about 1.
        assert np.linalg.norm(found - wanted) < 0.01 * np.linalg.norm(wanted)
        assert mean_kl(wanted, found) < 1e-4


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "qwen2"])
def test_logits_and_tokens_survive_with_a_tokenizer_made_here(family: str, tmp_path: Path, converter: Path) -> None:
    folder = make_model(tmp_path / "random-1M-test", family)
    plan = make_plan(find_subject(folder), find_types(["F32", "F16"], imatrix=False), tmp_path / "out", imatrix=False)
    with waiting_converter(converter) as process:
        files = {made.type: made.path for made in export(plan, process, lambda _: None, prove=None).files}

    require_same_logits(folder, files.values())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with open_gguf(files["F16"]) as model:
        assert [model.tokenize(text) for text in TEXTS] == [tokenizer.encode(text, add_special_tokens=False) for text in TEXTS]


def test_a_begin_token_that_the_model_says_nothing_of_is_found_and_can_be_left_out(tmp_path: Path, converter: Path) -> None:
    """llama.cpp puts one before every text of a SentencePiece tokenizer; tokenizer.json here puts none."""
    folder = make_model(tmp_path / "random")
    settings = folder / "tokenizer_config.json"
    failures = []
    for name, said in (("silent", {}), ("without", {"add_bos_token": False})):
        settings.write_text(json.dumps(json.loads(settings.read_text()) | said))
        subject = find_subject(folder)
        plan = make_plan(subject, find_types(["F16"], imatrix=False), tmp_path / name, imatrix=False)
        with waiting_converter(converter) as process:
            proof = export(plan, process, lambda _: None, prove=prover(subject)).files[0].proof
        assert proof is not None
        failures.append(proof.failures)
    assert failures == [(failures[0][0],), ()]
    assert "begins every text with <s>; set add_bos_token to false" in failures[0][0]


def test_tokens_that_transformers_added_to_a_sentencepiece_model_are_in_the_file(tmp_path: Path, converter: Path) -> None:
    """transformers 5 writes them into tokenizer.json alone, and the converter reads tokenizer.model."""
    folder = make_model(tmp_path / "grown")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.save_pretrained(folder)
    assert "added_tokens_decoder" not in json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    with waiting_converter(converter) as process:
        run_converter(process, folder, tmp_path / "grown.gguf", "F16", {}, lambda _: None)
    text = "<|im_start|>user\nThe quick brown fox<|im_end|>\n<|im_start|>assistant\n"
    with open_gguf(tmp_path / "grown.gguf") as file:
        assert file.tokenize(text) == tokenizer.encode(text, add_special_tokens=False)
        assert file.text(file.tokenize("<|im_end|>")) == ""


def test_spaces_that_only_the_file_puts_are_named_as_the_cause(tmp_path: Path, converter: Path) -> None:
    """A prompt that begins with a space has one more in llama.cpp, as in SentencePiece, than in transformers."""
    folder = make_model(tmp_path / "random")
    (folder / "tokenizer.json").unlink()
    settings = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "add_bos_token": False}), encoding="utf-8")
    subject = find_subject(folder)
    plan = make_plan(subject, find_types(["F16"], imatrix=False), tmp_path / "out", imatrix=False)
    with waiting_converter(converter) as process:
        proof = export(plan, process, lambda _: None, prove=prover(subject)).files[0].proof
    assert proof is not None
    assert proof.token_mismatches == 1
    assert "llama.cpp puts a space before every text" in proof.failures[0]


@pytest.mark.parametrize("kinds", ["FSSF", "SFSS"])
def test_logits_survive_where_a_path_has_moved_gemmas_windows(kinds: str, tmp_path: Path, converter: Path) -> None:
    """40 tokens, a window of 8: llama.cpp's own pattern would make every layer here a sliding one."""
    names = {"F": "full_attention", "S": "sliding_attention"}
    folder = make_model(tmp_path / "moved", "gemma3", num_hidden_layers=4, layer_types=[names[kind] for kind in kinds])
    with waiting_converter(converter) as process:
        run_converter(process, folder, tmp_path / "plain.gguf", "F32", {}, lambda _: None)
    require_same_logits(folder, [tmp_path / "plain.gguf"])


def test_qwen2_logits_survive_conversion_with_a_tokenizer_that_transformers_misreads(tmp_path: Path, converter: Path) -> None:
    """transformers reads every qwen2 tokenizer as Qwen's own, which can't be had here; so the gate stays out of this one."""
    folder = make_model(tmp_path / "random", "qwen2")
    plain, half = tmp_path / "plain.gguf", tmp_path / "half.gguf"
    with waiting_converter(converter) as process:
        run_converter(process, folder, plain, "F32", {}, lambda _: None)
    quantize(plain, half, FILE_TYPES["F16"], lambda _: None)
    require_same_logits(folder, [plain, half])
