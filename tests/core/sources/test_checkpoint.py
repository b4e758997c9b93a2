from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from evomerge_core.errors import InputError
from evomerge_core.sources.checkpoint import open_checkpoint
from support.source_models import change_config, write_model

CopyOf = Callable[[str], Path]


def reason(folder: Path, **options: bool) -> str:
    with pytest.raises(InputError) as caught:
        open_checkpoint(folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def change_weights(folder: Path, **tensors: torch.Tensor) -> None:
    save_file(
        load_file(folder / "model.safetensors") | {name.replace("__", "."): tensor for name, tensor in tensors.items()},
        folder / "model.safetensors",
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shard", ["1GB", "60KB"])
def test_reads_every_tensor_as_transformers_does(tmp_path: Path, dtype: torch.dtype, tied: bool, shard: str) -> None:
    folder = write_model(tmp_path / "model", dtype=dtype, tie_word_embeddings=tied, shard=shard)
    assert (folder / "model.safetensors.index.json").is_file() == (shard == "60KB")
    checkpoint = open_checkpoint(folder)
    expected = dict(LlamaForCausalLM.from_pretrained(folder, dtype=dtype).named_parameters())
    assert set(checkpoint.tensors) == set(expected)
    assert checkpoint.tied == tied
    for name, tensor in expected.items():
        assert checkpoint.dtype(name) == dtype
        assert checkpoint.facts(name).shape == tuple(tensor.shape)
        assert torch.equal(checkpoint.read(name), tensor)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_tensors_lie_in_the_mapped_file(pristine: Path) -> None:
    checkpoint = open_checkpoint(pristine)
    address = checkpoint.read("model.embed_tokens.weight").data_ptr()
    spans = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith("model.safetensors")]
    limits = [[int(end, 16) for end in span[0].split("-")] for span in spans if span[-1] == str(pristine / "model.safetensors")]
    assert any(start <= address < end for start, end in limits)


def test_a_tied_head_that_was_stored_is_kept_apart(copy_of: CopyOf) -> None:
    folder = change_config(copy_of("m"), tie_word_embeddings=True)
    change_weights(folder, lm_head__weight=load_file(folder / "model.safetensors")["model.embed_tokens.weight"].clone())
    checkpoint = open_checkpoint(folder)
    assert "lm_head.weight" not in checkpoint.tensors
    assert list(checkpoint.tied_copies) == ["lm_head.weight"]


def test_a_head_that_the_config_says_nothing_of_is_tied_when_it_is_the_same(copy_of: CopyOf) -> None:
    folder = change_config(copy_of("m"), tie_word_embeddings=...)
    assert not open_checkpoint(folder).tied
    change_weights(folder, lm_head__weight=load_file(folder / "model.safetensors")["model.embed_tokens.weight"].clone())
    assert open_checkpoint(folder).tied


def test_rotary_constants_of_old_checkpoints_are_left_out(copy_of: CopyOf) -> None:
    folder = copy_of("m")
    change_weights(folder, model__layers__0__self_attn__rotary_emb__inv_freq=torch.ones(8))
    assert not [name for name in open_checkpoint(folder).tensors if "inv_freq" in name]


def test_truncated_safetensors_names_file_and_tensor(copy_of: CopyOf) -> None:
    path = copy_of("m") / "model.safetensors"
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    header.pop("__metadata__", None)
    last = max(header, key=lambda name: header[name]["data_offsets"][1])
    path.write_bytes(whole[:-4])
    assert str(path) in reason(path.parent)
    assert f"cut short, at tensor {last}; download" in reason(path.parent)


@pytest.mark.parametrize("damage", [b"", b"\x00" * 7, b"\xff" * 64, (10).to_bytes(8, "little") + b"not json!!"])
def test_corrupt_safetensors_names_the_file(copy_of: CopyOf, damage: bytes) -> None:
    path = copy_of("m") / "model.safetensors"
    path.write_bytes(damage)
    assert reason(path.parent).startswith(f"{path}: not a complete safetensors file")


def test_missing_shard_names_it_and_a_tensor(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", shard="60KB")
    weight_map = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    shard = weight_map["model.norm.weight"]
    (folder / shard).unlink()
    said = reason(folder)
    assert said.startswith(f"{folder / shard}: missing shard")
    assert weight_map[said.split("it holds ")[1].split(";")[0]] == shard


def test_index_that_names_an_absent_tensor(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", shard="60KB")
    index = folder / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"]["model.ghost.weight"] = content["weight_map"]["model.norm.weight"]
    index.write_text(json.dumps(content))
    assert reason(folder).startswith(f"{index}: model.ghost.weight")


@pytest.mark.parametrize("shard", ["../outside.safetensors", "/etc/passwd", "sub\\x.safetensors", "C:x", 7])
def test_index_may_not_name_files_elsewhere(tmp_path: Path, shard: object) -> None:
    folder = write_model(tmp_path / "m")
    (folder / "model.safetensors").rename(tmp_path / "outside.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"model.norm.weight": shard}}))
    assert "must lie beside the index" in reason(folder)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "config.json: no such file"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json: not JSON"),
        (lambda folder: (folder / "config.json").write_text("[]"), "config.json: isn't a JSON object"),
        (lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe\x80"), "config.json: not JSON"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors: no such file"),
        (lambda folder: shutil.rmtree(folder), "no such folder"),
    ],
)
def test_missing_or_unreadable_files(copy_of: CopyOf, spoil: Callable[[Path], object], said: str) -> None:
    folder = copy_of("m")
    spoil(folder)
    assert said in reason(folder)


@pytest.mark.parametrize(
    "settings",
    [{"quant_method": "gptq", "bits": 4}, {"quant_method": "awq"}, {"quant_method": "bitsandbytes", "load_in_4bit": True}],
)
def test_quantised_config_is_refused(copy_of: CopyOf, settings: dict[str, object]) -> None:
    said = reason(change_config(copy_of("m"), quantization_config=settings))
    assert "config.json: quantization_config: already quantised" in said
    assert str(settings["quant_method"]) in said
    assert "unquantised original" in said


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("model.layers.0.mlp.up_proj.qweight", torch.zeros(4, 4, dtype=torch.int32)),
        ("model.layers.0.mlp.up_proj.weight_format", torch.zeros(1)),
        ("model.layers.0.mlp.up_proj.weight.absmax", torch.zeros(8)),
        ("model.layers.0.mlp.up_proj.weight_scale_inv", torch.zeros(2, 2)),
        ("model.layers.0.mlp.up_proj.weight", torch.zeros(8, 1, dtype=torch.uint8)),
        ("model.layers.0.mlp.up_proj.weight", torch.zeros(96, 64, dtype=torch.int8)),
        ("model.layers.0.mlp.up_proj.weight", torch.zeros(96, 64).to(torch.float8_e4m3fn)),
    ],
)
def test_quantised_tensors_are_refused(copy_of: CopyOf, name: str, tensor: torch.Tensor) -> None:
    folder = copy_of("m")
    save_file(load_file(folder / "model.safetensors") | {name: tensor}, folder / "model.safetensors")
    said = reason(folder)
    assert name in said
    assert "already quantised" in said
    assert "unquantised original" in said


def test_double_precision_is_refused(copy_of: CopyOf) -> None:
    folder = copy_of("m")
    change_weights(folder, model__norm__weight=torch.ones(64, dtype=torch.float64))
    assert "model.norm.weight is stored as F64" in reason(folder)


def test_a_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    assert "unquantised original" in reason(tmp_path / "model.gguf")
    assert "unquantised original" in reason(tmp_path)


def as_pickle(folder: Path, *, legacy: bool = False) -> Path:
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=not legacy)
    return folder


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_is_read_only_when_asked_for(copy_of: CopyOf, pristine: Path, legacy: bool) -> None:
    folder = as_pickle(copy_of("m"), legacy=legacy)
    assert f"{folder / 'pytorch_model.bin'}: a pickle can run code" in reason(folder)
    checkpoint = open_checkpoint(folder, allow_pickle=True)
    for name, tensor in load_file(pristine / "model.safetensors").items():
        assert torch.equal(checkpoint.read(name), tensor)


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("this must not run",)


def test_a_pickle_with_code_is_refused_even_when_pickles_are_allowed(
    copy_of: CopyOf, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = as_pickle(copy_of("m"))
    torch.save({"model.norm.weight": Trap()}, folder / "pytorch_model.bin")
    assert "holds more than tensors" in reason(folder, allow_pickle=True)
    assert "must not run" not in capsys.readouterr().out


@pytest.mark.parametrize("legacy", [False, True])
def test_a_truncated_pickle_is_refused(copy_of: CopyOf, legacy: bool) -> None:
    path = as_pickle(copy_of("m"), legacy=legacy) / "pytorch_model.bin"
    path.write_bytes(path.read_bytes()[:3000])
    assert str(path) in reason(path.parent, allow_pickle=True)
