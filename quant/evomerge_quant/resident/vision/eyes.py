"""Tower and projector of a vision-language model: a picture to features, by transformers' own modules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evomerge_core.errors import InputError
from evomerge_core.files.picture import Picture
from evomerge_core.sources.pretrained import load_eyes, read_config, read_image_processor, read_tokenizer
from evomerge_quant.resident.network.fixed_eyes import fix_eyes
from evomerge_quant.resident.network.plain_attention import attend_plainly_if_needed
from evomerge_quant.resident.vision.scorable import require_scorable
from evomerge_quant.resident.vision.seen import Seen
from evomerge_quant.resident.vision.standing_text import TILED, UNPREPARED, around_pictures, text_of_tiles, unseeable

# What an image processor says beside a model's inputs.
_ROWS, _COLUMNS = "rows", "cols"
_GRID = "image_grid_thw"


@dataclass(frozen=True)
class Eyes:
    """An open tower and projector. `token` is the token in whose place a feature stands, `around` what stands before and after
    a picture's features."""

    module: Any
    processor: Any
    kind: str
    token: str
    around: tuple[str, str]


def open_eyes(folder: Path, dtype: torch.dtype, device: torch.device) -> Eyes:
    """The eyes of a model's folder.

    InputError where the folder lacks them, transformers can't read them, or the model reads more than their features.
    """
    require_scorable(folder, read_config(folder))
    module = load_eyes(folder, dtype).to(device)
    if device.type == "cpu" and dtype == torch.float32:
        fix_eyes(module)
    attend_plainly_if_needed(module, dtype, device)
    config = module.config
    row = getattr(config, "image_token_id", None)
    token = None if row is None else read_tokenizer(folder).convert_ids_to_tokens(row)
    if not isinstance(token, str):
        raise InputError("image_token_id names no token", where=folder / "config.json", remedy="copy the tokenizer again")
    processor = read_image_processor(folder)
    if getattr(processor, "do_pan_and_scan", None):
        problem = "do_pan_and_scan cuts pictures into several, which isn't scored"
        raise InputError(problem, where=folder / "preprocessor_config.json", remedy="set it to false in a copy of the model")
    return Eyes(module, processor, config.model_type, token, around_pictures(folder, config))


@torch.inference_mode()
def look(eyes: Eyes, picture: Picture) -> Seen:
    """What the model makes of a picture; features are on the CPU, in the tower's dtype. InputError for a size that it can't
    see."""
    told = {"return_row_col_info": True} if eyes.kind in TILED else {}
    try:
        read = dict(eyes.processor(images=[[picture.image]], return_tensors="pt", **told))
    except UNPREPARED as reason:
        raise unseeable(picture.image.size, reason, picture.where) from None
    rows, columns = (read.pop(key, [[0]])[0][0] for key in (_ROWS, _COLUMNS))
    inputs = {name: _placed(value, eyes.module) for name, value in read.items() if isinstance(value, Tensor)}
    out = eyes.module.get_image_features(**inputs)
    (features,) = out.pooler_output
    layers = getattr(out, "deepstack_features", None)
    before, after = eyes.around
    text = f"{before}{eyes.token * len(features)}{after}"
    if eyes.kind in TILED:
        text = text_of_tiles(eyes.token, len(features), rows, columns)
    places = _places(inputs[_GRID], eyes.module.config) if _GRID in inputs else None
    return Seen(features.cpu(), text, places, torch.stack([of[0] for of in layers]).cpu() if layers else None)


def _placed(value: Tensor, module: Any) -> Tensor:
    return value.to(module.device, module.dtype) if value.is_floating_point() else value.to(module.device)


def _places(grid: Tensor, config: Any) -> Tensor:
    """The three parts of the positions of a picture's features, row by row, from its first on; `grid` [1, 3] counts patches."""
    height, width = (grid[0, 1:] // config.vision_config.spatial_merge_size).tolist()
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([torch.zeros_like(rows), rows, columns]).flatten(1)
