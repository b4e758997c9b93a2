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
from evomerge_quant.resident.network.fixed_order import fix_order
from evomerge_quant.resident.vision.scorable import require_scorable
from evomerge_quant.resident.vision.standing_text import TILED, text_of_tiles

# What an image processor says beside a model's inputs.
_ROWS, _COLUMNS = "rows", "cols"


@dataclass(frozen=True)
class Eyes:
    """An open tower and projector. `token` is the token in whose place a feature stands."""

    module: Any
    processor: Any
    kind: str
    token: str


@dataclass(frozen=True)
class Seen:
    """A picture's features [tokens, width], and the text that stands for it in a prompt, with as many of the image tokens."""

    features: Tensor
    text: str


def open_eyes(folder: Path, dtype: torch.dtype, device: torch.device) -> Eyes:
    """The eyes of a model's folder.

    InputError where the folder lacks them, transformers can't read them, or the model reads more than their features.
    """
    require_scorable(folder, read_config(folder))
    module = load_eyes(folder, dtype).to(device)
    if device.type == "cpu" and dtype == torch.float32:
        fix_order(module)
    config = module.config
    row = getattr(config, "image_token_id", None)
    token = None if row is None else read_tokenizer(folder).convert_ids_to_tokens(row)
    if not isinstance(token, str):
        raise InputError("image_token_id names no token", where=folder / "config.json", remedy="copy the tokenizer again")
    return Eyes(module, read_image_processor(folder), config.model_type, token)


@torch.inference_mode()
def look(eyes: Eyes, picture: Picture) -> Seen:
    """What the model makes of a picture; features are on the CPU, in the tower's dtype."""
    told = {"return_row_col_info": True} if eyes.kind in TILED else {}
    read = dict(eyes.processor(images=[[picture.image]], return_tensors="pt", **told))
    rows, columns = (read.pop(key, [[0]])[0][0] for key in (_ROWS, _COLUMNS))
    inputs = {name: _placed(value, eyes.module) for name, value in read.items() if isinstance(value, Tensor)}
    (features,) = eyes.module.get_image_features(**inputs).pooler_output
    text = text_of_tiles(eyes.token, len(features), rows, columns) if eyes.kind in TILED else eyes.token * len(features)
    return Seen(features.cpu(), text)


def _placed(value: Tensor, module: Any) -> Tensor:
    return value.to(module.device, module.dtype) if value.is_floating_point() else value.to(module.device)
