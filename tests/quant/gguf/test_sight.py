"""Both files of a vision-language model are compared with transformers on pictures; wrong eyes and wrong texts are told."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from evomerge_quant.gguf.proof.seeing_reference import SeeingReference
from evomerge_quant.gguf.proof.sight import prove_sight
from support.seeing_gguf_models import SeeingOracle


@pytest.fixture(scope="module")
def reference(seeing_files: Callable[[str], Any]) -> SeeingReference:
    return SeeingReference(seeing_files("smolvlm").folder)


@pytest.mark.parametrize("family", ["smolvlm", "gemma3", "qwen2-vl"])
def test_sound_files_pass(family: str, seeing_files: Callable[[str], Any]) -> None:
    """The bounds are at least ten times what sound files measure."""
    files = seeing_files(family)
    proof = prove_sight(SeeingReference(files.folder), files.text, files.mmproj, type_name="F32")
    assert proof.passed, (proof.failures, proof.eyes_failures)
    assert proof.feature_error is not None
    assert proof.feature_error < 0.003
    assert proof.mean_kl is not None
    assert proof.mean_kl < 2e-4
    assert proof.token_mismatches == 0
    assert proof.items == 3
    assert proof.greedy_agreement is not None
    assert proof.greedy_agreement > 0.5


@pytest.mark.parametrize("family", ["smolvlm", "gemma3", "qwen2-vl"])
def test_the_reference_reads_as_transformers_processors_do(family: str, seeing_files: Callable[[str], Any]) -> None:
    files = seeing_files(family)
    reference, oracle = SeeingReference(files.folder), SeeingOracle(files.folder, family)
    for item in reference.items():
        given = oracle.inputs(item.prompt, [item.picture.image])
        assert reference.read(item).tokens == given["input_ids"][0].tolist()


def changed(mmproj: Path, place: Path, change: Callable[[str, np.ndarray], None]) -> Path:
    """A copy in which `change` wrote into the tensors."""
    path = place / "mmproj-changed.gguf"
    shutil.copyfile(mmproj, path)
    for tensor in gguf.GGUFReader(path, "r+").tensors:
        change(tensor.name, tensor.data)
    return path


def _exchange_rows(name: str, data: np.ndarray) -> None:
    if name.startswith("mm.") and data.ndim == 2:
        data[[0, 1]] = data[[1, 0]]


def _other_numbers(name: str, data: np.ndarray) -> None:
    if name == "v.patch_embd.weight":
        data[:] = data[::-1].copy()


@pytest.mark.parametrize("change", [_exchange_rows, _other_numbers])
def test_wrong_eyes_are_told(
    change: Callable[[str, np.ndarray], None], reference: SeeingReference, seeing_files: Callable[[str], Any], tmp_path: Path
) -> None:
    files = seeing_files("smolvlm")
    proof = prove_sight(reference, files.text, changed(files.mmproj, tmp_path, change), type_name="F32")
    assert not proof.passed
    assert any("away from transformers'" in failure for failure in proof.eyes_failures)
    assert not proof.failures


def test_a_wrong_text_file_is_told_from_wrong_eyes(
    reference: SeeingReference, seeing_files: Callable[[str], Any], tmp_path: Path
) -> None:
    def exchange(name: str, data: np.ndarray) -> None:
        if name == "blk.1.ffn_down.weight":
            data[:] = data[::-1].copy()

    files = seeing_files("smolvlm")
    proof = prove_sight(reference, changed(files.text, tmp_path, exchange), files.mmproj, type_name="F32")
    assert not proof.eyes_failures
    assert any("with pictures, mean KL" in failure for failure in proof.failures)


def test_files_that_can_not_be_used_fail_in_words(
    reference: SeeingReference, seeing_files: Callable[[str], Any], tmp_path: Path
) -> None:
    files = seeing_files("smolvlm")
    broken = tmp_path / "mmproj-broken.gguf"
    broken.write_bytes(files.mmproj.read_bytes()[:2000])
    proof = prove_sight(reference, files.text, broken, type_name="F32")
    assert any("can't be used" in failure for failure in proof.eyes_failures)
    assert proof.feature_error is None
