"""A thousand pictures: their features stay in files as large as planned, and the tower is gone before candidates are scored."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from evomerge_core.files.picture import Picture
from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.setup import create_run, prepare
from evomerge_core.sources.source import open_source
from evomerge_core.tasks.items.pictures import ItemPicture
from evomerge_quant.planning.prompts import prompts_of
from evomerge_quant.resident import sight
from evomerge_quant.resident.vision import kept_features
from evomerge_quant.resident.vision.eyes import open_eyes
from evomerge_quant.resident.vision.kept_features import see_all
from support.pretended_card import pretended_card
from support.seeing_runs import SIZES, write_seeing_recipe
from support.vision_models import write_seeing_model

_PICTURES = 1000


def test_a_thousand_pictures_are_kept_in_files_as_large_as_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_features, "flush_file", lambda _: None)  # a disk takes its time over a thousand files
    write_seeing_model(tmp_path / "base", "llava")
    base = open_source(str(tmp_path / "base"), relative_to=tmp_path)
    random = np.random.default_rng(1)
    pictures = []
    for number in range(_PICTURES):
        width, height = SIZES[number % len(SIZES)]
        pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        pictures.append(Picture(Image.fromarray(pixels), f"{number:064x}"))
    seen = see_all(pictures, tmp_path / "kept", lambda: open_eyes(tmp_path / "base", torch.float32, torch.device("cpu")))
    items = [ItemPicture(picture.sha256, "", picture.image.size) for picture in pictures]
    planned = prompts_of(base, base).features(items) * 4 * base.config["text_config"]["hidden_size"]
    assert sum(one.features.nbytes for one in seen.values()) == planned
    files = list((tmp_path / "kept").iterdir())
    assert len(files) == _PICTURES
    head = 400  # names, shapes and the text for a picture, which are not features
    assert planned < sum(path.stat().st_size for path in files) < planned + _PICTURES * (head + 200)
    # in memory they take nothing of their own: they are read from the files as they are used
    mapped = _mapped(tmp_path / "kept")
    assert all(any(start <= one.features.data_ptr() < end for start, end in mapped) for one in seen.values())


def _mapped(folder: Path) -> list[tuple[int, int]]:
    """Where this process has files of a folder in its memory."""
    maps = Path("/proc/self/maps")
    if not maps.is_file():
        pytest.skip("no list of what is mapped")
    lines = [line.split() for line in maps.read_text().splitlines() if str(folder) in line]
    return [(int(start, 16), int(end, 16)) for start, end in (line[0].split("-") for line in lines)]


def test_the_tower_is_off_the_card_before_a_candidate_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation = {"precision": "bf16", "device": "cuda"}
    run = create_run(load_recipe(write_seeing_recipe(tmp_path, "llava", evaluation=evaluation)), out=tmp_path / "run")
    opened: list[Any] = []

    def watched(*args: Any) -> Any:
        eyes = open_eyes(*args)
        size = sum(parameter.nbytes for parameter in eyes.module.parameters())
        # the pretended card doesn't see torch's own `Module.to`
        for part in eyes.module.modules():
            for tensors in (part._parameters, part._buffers):
                tensors.update({name: one.detach().to("cuda") for name, one in tensors.items() if one is not None})
        opened.append((weakref.ref(eyes.module), size))
        return eyes

    monkeypatch.setattr(sight, "open_eyes", watched)
    with pretended_card() as card:
        found = sight.see_pictures(prepare(load_recipe(run / "recipe.yaml"), run), run / "features")
        ((tower, size),) = opened
        assert len(found.seen) == 10
        assert tower() is None
        assert card.peak >= size
        assert card.allocated == 0
        assert card.reserved == 0
