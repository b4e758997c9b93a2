"""Merge files as people publish them, on tiny models: mergekit's own numbers, or a line that names the key.

`data/published` has the files with where they are from; models' names, layer numbers and the densities of random masks are
changed. `tests/benchmarks/published_merges.py` made `expected.safetensors` with mergekit 0.1.5: numbers at even distances of
a tensor of each kind, as the file says and in float32.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from evomerge_core.errors import InputError
from support.merge_files import merge_text
from support.published_models import write_published_models

PUBLISHED = Path(__file__).parent / "data" / "published"
FILES = sorted(file.stem for file in PUBLISHED.glob("*.yml"))
# Files whose method elects signs or cuts at a rank.
SELECTING = {
    *("arcee-fusion-example", "breadcrumbs-neuralbeagle", "casual-autopsy-breadcrumbs-ties", "mergekit-ties-example"),
    *("daredevil-7b", "gemma-moon-2-9b-it", "llama-carvalho-dare", "mergekit-dare-ties-vnjbera", "wingless-imp-della"),
    *("fuseo1-sce",),
}
# Files that are refused, and the line of what they say.
REFUSED = {
    "dpopenhermes-11b": r"merge\.yml:5: key 'slices\[0\]\.sources\[0\]\.revision' is for models of the hub",
    "hx-mistral-1-5b": r"merge\.yml:10: the model 'a' is listed twice",
    "mn-hekate": r"merge\.yml:9: model_stock: unknown parameter 'weight'; known: filter_wise",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    write_published_models(folder)
    return folder


def expected(name: str) -> dict[str, Tensor]:
    with safe_open(PUBLISHED / "expected.safetensors", "pt") as file:  # type: ignore[no-untyped-call]
        keys = [key for key in file.keys() if key.startswith(f"{name}/")]  # noqa: SIM118 - it is no mapping
        return {key.partition("/")[2]: file.get_tensor(key) for key in keys}


def kept(tensor: Tensor) -> Tensor:
    flat = tensor.reshape(-1)
    return flat[:: max(1, len(flat) // 8)][:8]


def in_float32(text: str) -> str:
    text = re.sub(r"(?m)^(out_)?dtype:.*\n", "", text)
    return re.sub(r"(?m)^(merge_method:.*)$", r"\1\ndtype: float32\nout_dtype: float32", text)


def test_there_are_twenty_that_are_merged() -> None:
    assert len(set(FILES) - REFUSED.keys()) >= 20


@pytest.mark.parametrize("name", sorted(set(FILES) - REFUSED.keys()))
def test_a_published_file_gives_mergekits_numbers(name: str, models: Path, tmp_path: Path) -> None:
    text = (PUBLISHED / f"{name}.yml").read_text(encoding="utf-8")
    theirs, ours = expected(f"{name}-float32"), merge_text(models, tmp_path / "float32", in_float32(text))
    assert {key for key in ours if re.search(r"down_proj|lm_head", key)} <= theirs.keys() <= ours.keys()
    for key, tensor in theirs.items():
        assert ours[key].dtype == tensor.dtype
        torch.testing.assert_close(kept(ours[key]), tensor, rtol=0, atol=1e-6)
    # In few bits mergekit rounds inputs and sums as well: two steps, and now and then another sign or another cut.
    theirs, ours = expected(f"{name}-published"), merge_text(models, tmp_path / "published", text)
    near = torch.cat([_near(kept(ours[key]), tensor) for key, tensor in theirs.items()])
    assert near.float().mean() > (0.9 if name in SELECTING else 0.999)


def _near(ours: Tensor, theirs: Tensor) -> Tensor:
    return (ours.float() - theirs.float()).abs() <= 2 * torch.finfo(ours.dtype).eps * theirs.float().abs().max()


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_right_is_refused_with_its_key(name: str, models: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=REFUSED[name]):
        merge_text(models, tmp_path / "out", (PUBLISHED / f"{name}.yml").read_text(encoding="utf-8"))
