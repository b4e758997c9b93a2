"""What a GGUF would carry on without a word is refused before conversion, in one line that says what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, normalizers

from evomerge_core.errors import InputError
from evomerge_core.sources.checkpoint import open_checkpoint
from evomerge_core.sources.source import Source
from evomerge_quant.gguf.convert.model_gate import check_tokenizer, check_weights
from evomerge_quant.gguf.convert.window_pattern import check_windows
from support.gguf_models import make_model, write_tokenizer


def check(folder: Path) -> None:
    check_weights(Source(str(folder), open_checkpoint(folder)))


def spoil(folder: Path, name: str, tensor: torch.Tensor | None = None, value: float | None = None) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    if tensor is not None:
        tensors[name] = tensor
    if value is not None:
        tensors[name][1, 2] = value
    save_file(tensors, path, metadata={"format": "pt"})


def reconfigure(folder: Path, file: str = "config.json", **changes: object) -> None:
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_model(tmp_path / "model")


def test_a_sound_model_passes_without_a_warning(folder: Path) -> None:
    check(folder)
    assert check_tokenizer(folder) == ()


def test_a_gemma_without_windows_is_refused(tmp_path: Path) -> None:
    """llama.cpp aborts when it reads one."""
    folder = make_model(tmp_path / "gemma", "gemma3", layer_types=["full_attention"] * 3)
    with pytest.raises(InputError, match=r"config\.json: layer_types: no layer is a sliding_attention one"):
        check_windows(folder)
    check_windows(make_model(tmp_path / "llama"))


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_values_must_be_finite(folder: Path, value: float) -> None:
    spoil(folder, "model.layers.1.mlp.up_proj.weight", value=value)
    with pytest.raises(InputError, match=r"model\.layers\.1\.mlp\.up_proj\.weight holds NaN or Inf"):
        check(folder)


def test_every_token_needs_a_row(folder: Path) -> None:
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        spoil(folder, name, load_file(folder / "model.safetensors")[name][:300].clone())
    with pytest.raises(InputError, match="has 300 rows; give the tokenizer"):
        check(folder)


def test_vocab_size_must_be_the_number_of_rows(folder: Path) -> None:
    """llama.cpp's converter ends in an assertion for fewer rows than tokens, transformers refuses either."""
    rows = len(load_file(folder / "model.safetensors")["lm_head.weight"])
    for stated in (rows - 2, rows + 2):
        reconfigure(folder, vocab_size=stated)
        with pytest.raises(InputError, match=rf"vocab_size is {stated}, but .* has {rows} rows; set it to {rows}"):
            check(folder)


def test_the_tied_flag_must_agree_with_the_tensors(folder: Path) -> None:
    reconfigure(folder, tie_word_embeddings=True)
    with pytest.raises(InputError, match="tie_word_embeddings is true, but"):
        check(folder)


def test_what_is_quantised_already_is_refused(folder: Path) -> None:
    reconfigure(folder, quantization_config={"quant_method": "bitsandbytes"})
    with pytest.raises(InputError, match="already quantised"):
        check(folder)


def test_a_tokenizer_that_transformers_reads_in_another_way_is_refused(tmp_path: Path) -> None:
    """transformers takes every qwen2 tokenizer for Qwen's own, whatever its files say (its issues 45488, 45812, 45920)."""
    folder = make_model(tmp_path / "model", "qwen2")
    with pytest.raises(InputError, match=r"AutoTokenizer reads .* the file itself as") as refused:
        check_tokenizer(folder)
    read, stored = re.findall(r"as (\[.*?\])", refused.value.problem)
    assert read != stored
    # what its settings could say, they say already
    assert refused.value.remedy.startswith("use another version of transformers")
    reconfigure(folder, "tokenizer_config.json", tokenizer_class="Qwen2Tokenizer")
    with pytest.raises(InputError, match="set tokenizer_class to PreTrainedTokenizerFast"):
        check_tokenizer(folder)


def test_a_tokenizer_that_loses_plain_text_is_refused(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), tokenizer.normalizer])
    tokenizer.save(str(folder / "tokenizer.json"))
    with pytest.raises(InputError, match='comes back as "the quick'):
        check_tokenizer(folder)


def test_no_tokenizer_is_reported(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(InputError, match="copy the tokenizer of the original model"):
        check_tokenizer(folder)


def test_a_missing_chat_template_is_a_warning(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model")
    write_tokenizer(folder, template=None)
    (warning,) = check_tokenizer(folder)
    assert "chat template" in warning
