"""What stands for a picture in a prompt, told from its size: no tower is opened for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.sources.pretrained import read_config, read_image_processor, read_tokenizer
from evomerge_quant.resident.vision.scorable import require_scorable

TILED = ("smolvlm", "idefics3")
# What transformers' processors raise for a picture, and for settings that are none.
UNPREPARED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
_GRIDS = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")


@dataclass(frozen=True)
class Standing:
    """The text that stands for a picture, and how many features there are in it."""

    text: str
    features: int


def unseeable(size: tuple[int, int], reason: Exception, where: str = "") -> InputError:
    """The error for a picture of a (width, height) that a family's processor refuses, as Qwen's does a very narrow one, or that
    its settings, which transformers doesn't check, can't prepare."""
    refused = isinstance(reason, ValueError)
    problem = f"the base can't see a picture of {size[0]} x {size[1]} pixels ({reason if refused else repr(reason)})"
    remedy = "crop it or remove the row" if refused else "copy the base's preprocessor_config.json again"
    return InputError(problem, where=where, remedy=remedy)


def text_of_tiles(token: str, features: int, rows: int, columns: int) -> str:
    """A picture cut into tiles, row by row, and last the whole of it, as Idefics3's and SmolVLM's processors write it; no rows
    and columns where it isn't cut."""
    around, whole = "<fake_token_around_image>", "<global-img>"
    tile = token * (features // (rows * columns + 1))
    lines = [[f"{around}<row_{row + 1}_col_{column + 1}>{tile}" for column in range(columns)] for row in range(rows)]
    before = "".join("".join(line) + "\n" for line in lines)
    return f"{before}{chr(10) if before else ''}{around}{whole}{tile}{around}"


def with_pictures_shown(prompt: str, token: str, texts: Iterable[str]) -> str:
    """A prompt with what stands for each picture in the place of its token; as many texts as there are tokens."""
    first, *others = prompt.split(token)
    return first + "".join(text + after for text, after in zip(texts, others, strict=True))


def around_pictures(folder: Path, config: Any) -> tuple[str, str]:
    """What stands in a prompt before a picture's features and after them, where a family's processor writes it and not its
    template."""
    if config.model_type != "gemma3":
        return "", ""
    begin, end = read_tokenizer(folder).convert_ids_to_tokens([config.boi_token_index, config.eoi_token_index])
    return f"\n\n{begin}", f"{end}\n\n"


def standing_texts(folder: Path, token: str) -> Callable[[tuple[int, int]], Standing]:
    """What makes of a picture's (width, height) the text that stands for it in the prompts of a model; `token` is the token in
    whose place a feature stands. InputError where the model's folder lacks what says how pictures are prepared; so does what
    is made, for a size that the model can't see."""
    config = read_config(folder)
    require_scorable(folder, config)
    count = _counter(config, read_image_processor(folder))
    before, after = around_pictures(folder, config)

    def text(size: tuple[int, int]) -> Standing:
        try:
            features, rows, columns = count(*size)
        except UNPREPARED as reason:
            raise unseeable(size, reason) from None
        if config.model_type in TILED:
            return Standing(text_of_tiles(token, features, rows, columns), features)
        return Standing(f"{before}{token * features}{after}", features)

    return text


def _counter(config: Any, processor: Any) -> Callable[[int, int], tuple[int, int, int]]:
    """Width and height to the number of features, and the rows and columns of tiles."""
    if config.model_type in _GRIDS:
        merged = config.vision_config.spatial_merge_size**2
        return lambda width, height: (processor.get_number_of_image_patches(height, width) // merged, 0, 0)
    if config.model_type == "gemma3":
        return lambda _width, _height: (config.mm_tokens_per_image, 0, 0)
    side = config.vision_config.image_size // config.vision_config.patch_size
    if config.model_type in TILED:
        tile = side**2 // config.scale_factor**2

        def tiles(width: int, height: int) -> tuple[int, int, int]:
            _, rows, columns = processor.get_number_of_image_patches(height, width)
            return tile * (rows * columns + 1), rows, columns

        return tiles
    beside = _beside(config)
    if config.model_type == "llava_next":
        return lambda width, height: (_unpadded(config, processor, width, height) + side**2 + beside, 0, 0)
    return lambda _width, _height: (side**2 + beside, 0, 0)


def _beside(config: Any) -> int:
    """CLIP's towers have a token for the whole picture, which most models leave out."""
    return int(config.vision_config.model_type == "clip_vision_model") - int(config.vision_feature_select_strategy == "default")


def _unpadded(config: Any, processor: Any, width: int, height: int) -> int:
    """The features of LLaVA-NeXT's tiles without those of the padding, and the ends of their rows."""
    from transformers import LlavaNextProcessor
    from transformers.image_processing_utils import select_best_resolution

    side, patch = config.vision_config.image_size, config.vision_config.patch_size
    best_height, best_width = select_best_resolution((height, width), processor.image_grid_pinpoints)
    count: Any = LlavaNextProcessor._get_unpadded_features
    counted = count(None, height, width, side // patch, side // patch, best_height // side, best_width // side)
    return int(sum(counted))
