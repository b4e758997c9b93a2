"""Settings of image processors that would fill the memory, or that prepare no picture, are refused in a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evomerge_core.errors import InputError
from evomerge_core.sources.stored.picture_sizes import require_usual_sizes
from evomerge_quant.resident.vision.standing_text import standing_texts
from support.vision_models import write_seeing_model

# as the families' own files have them
_USUAL: dict[str, dict[str, Any]] = {
    "idefics3": {"size": {"longest_edge": 1456}, "max_image_size": {"longest_edge": 364}},
    "qwen3_vl": {"size": {"longest_edge": 16777216, "shortest_edge": 65536}, "merge_size": 2},
    "llava_next": {"image_grid_pinpoints": [[336, 672], [1008, 336]], "crop_size": {"height": 336, "width": 336}},
}
_TOO_LARGE: dict[str, dict[str, Any]] = {
    "size": {"size": {"longest_edge": 10**6}},
    "crop_size": {"crop_size": {"height": 1e9, "width": 336}},
    "image_grid_pinpoints": {"image_grid_pinpoints": [[336, -(10**5)]]},
    "min_pixels": {"min_pixels": 2**40, "merge_size": 2},
}


def _write(folder: Path, settings: dict[str, Any]) -> Path:
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


@pytest.mark.parametrize("family", _USUAL)
def test_sizes_of_known_models_are_taken(tmp_path: Path, family: str) -> None:
    require_usual_sizes(_write(tmp_path, _USUAL[family]))
    require_usual_sizes(_write(tmp_path, {"image_processor": _USUAL[family]}))


@pytest.mark.parametrize("key", _TOO_LARGE)
def test_sizes_that_nobody_means_are_refused(tmp_path: Path, key: str) -> None:
    for settings in (_TOO_LARGE[key], {"image_processor": _TOO_LARGE[key]}):
        path = _write(tmp_path, settings)
        with pytest.raises(InputError) as refused:
            require_usual_sizes(path)
        assert str(refused.value).startswith(f"{path}: {key}: asks for pictures of more than ")


@pytest.mark.parametrize("value", [[16], "x", {"longest_edge": 0}, {"longest_edge": None}, {}])
def test_settings_that_prepare_no_picture_are_told_with_its_size(tmp_path: Path, value: Any) -> None:
    folder = write_seeing_model(tmp_path / "base", "smolvlm")
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "max_image_size": value}), encoding="utf-8")
    with pytest.raises(InputError, match=r"can't see a picture of 48 x 64 pixels|can't read how pictures are prepared"):
        standing_texts(folder, "<image>")((48, 64))
