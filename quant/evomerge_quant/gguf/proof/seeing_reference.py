"""The vision-language model that two GGUF files are compared with: transformers' own, on prompts that show pictures."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evomerge_core.files.picture import Picture
from evomerge_core.limited.chat_template import PLACE, PictureMark, render_seeing_chat
from evomerge_core.limited.limited_process import Refused
from evomerge_core.sources.pretrained import load_seeing_network, read_image_processor, read_tokenizer
from evomerge_core.sources.source import open_source
from evomerge_core.sources.vocabulary.picture_mark import picture_mark
from evomerge_core.tasks.evaluator import Answer
from evomerge_quant.gguf.proof.comparison import Stretch
from evomerge_quant.gguf.proof.proof_items import ProofItem
from evomerge_quant.gguf.proof.reference import choose_place
from evomerge_quant.resident.answering.rows import make_rows
from evomerge_quant.resident.answering.vocabulary import read_vocabulary
from evomerge_quant.resident.vision.standing_text import TILED, around_pictures, text_of_tiles

_QUESTIONS = ("What is in this picture?", "Which colours do you see?", "Describe it in one sentence.")
# Where a family's model is told which tokens are a picture's.
_KINDS = ("token_type_ids", "mm_token_type_ids")


@dataclass(frozen=True)
class ShownItem:
    """A prompt with the model's own text for a picture in the picture's place."""

    prompt: str
    picture: Picture


@dataclass(frozen=True)
class ReadItem:
    """An item as transformers reads it: its tokens, the model's further inputs, and the picture's features [tokens, width]."""

    tokens: list[int]
    inputs: dict[str, Tensor]
    features: Tensor


class SeeingReference:
    """A loaded vision-language model. InputError when the folder holds none, or its tokenizer has no token for pictures."""

    def __init__(self, folder: Path) -> None:
        source = open_source(str(folder.absolute()), relative_to=Path.cwd())
        self.parameters = sum(torch.Size(source.shape(name)).numel() for name in source.names)
        place = choose_place(self.parameters)
        self.precision = place.precision
        self.device = torch.device(place.device)
        self.tokenizer = read_tokenizer(folder)
        mark = picture_mark(source)
        assert mark is not None
        self._mark: PictureMark = mark
        self._processor = read_image_processor(folder)
        dtype = torch.float32 if place.precision == "fp32" else torch.bfloat16
        self._module = load_seeing_network(folder, dtype).to(self.device)
        self.kind: str = self._module.config.model_type
        self.image_token: int = self._module.config.image_token_id
        self._around = around_pictures(folder, self._module.config)

    @property
    def shown(self) -> str:
        """The text in the place of a picture."""
        return self._mark.written.strip("\n")

    def items(self) -> list[ShownItem]:
        """Questions about drawn pictures, in the model's chat template where it has one.

        The pictures have sizes that no processor has to change: what is compared is the model, not how pictures are resized.
        """
        sizes = _sizes(self._module.config, self._processor)
        pictures = [_drawn(width, height, seed) for seed, (width, height) in enumerate(sizes)]
        return [ShownItem(self._prompt(question), picture) for question, picture in zip(_QUESTIONS, pictures, strict=True)]

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, without what a tokenizer puts around every text."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    @torch.inference_mode()
    def read(self, item: ShownItem) -> ReadItem:
        """What the family's processor makes of an item, and what tower and projector make of its picture."""
        told = {"return_row_col_info": True} if self.kind in TILED else {}
        images = [[item.picture.image]] if self.kind in TILED else [item.picture.image]
        read = dict(self._processor(images=images, return_tensors="pt", **told))
        rows, columns = (read.pop(key, [[0]])[0][0] for key in ("rows", "cols"))
        known = inspect.signature(self._module.forward).parameters
        inputs = {k: self._placed(v) for k, v in read.items() if isinstance(v, Tensor) and k in known}
        features = torch.cat(list(self._module.get_image_features(**inputs).pooler_output)).float().cpu()
        features = features.reshape(-1, features.shape[-1])
        text = item.prompt.replace(self.shown, self._standing(len(features), rows, columns), 1)
        return ReadItem(self.encode(text), inputs, features)

    @torch.inference_mode()
    def logits(self, item: ReadItem, further: Sequence[int], last: int) -> Tensor:
        """Float32 logits [last, vocabulary] after the last tokens of the item and `further` ones behind it."""
        ids = torch.tensor([[*item.tokens, *further]], device=self.device)
        known = inspect.signature(self._module.forward).parameters
        kinds = {name: (ids == self.image_token).long() for name in _KINDS if name in known}
        out = self._module(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **kinds, **item.inputs)
        logits: Tensor = out.logits[0, -last:].float().cpu()
        return logits

    @torch.inference_mode()
    def text_logits(self, tokens: Sequence[int], start: int) -> Tensor:
        """Float32 logits [tokens from `start` on, vocabulary] of a text without pictures."""
        ids = torch.tensor([tokens], device=self.device)
        logits: Tensor = self._module(input_ids=ids, use_cache=False).logits[0, start:].float().cpu()
        return logits

    @property
    def positions(self) -> int:
        """The longest text that the model takes."""
        return int(self._module.config.get_text_config().max_position_embeddings)

    def _prompt(self, question: str) -> str:
        try:
            messages = [{"role": "user", "content": f"{PLACE}{question}"}]
            prompt = render_seeing_chat(self.tokenizer, messages, self._mark, answer=True)
        except Refused:
            return f"{self.shown}{question}"
        return prompt if self.shown in prompt else prompt.replace(self._mark.token, self.shown)

    def _standing(self, features: int, rows: int, columns: int) -> str:
        """What the family's processor writes in the place of a picture."""
        token = self.tokenizer.convert_ids_to_tokens(self.image_token)
        if self.kind in TILED:
            return text_of_tiles(token, features, rows, columns)
        before, after = self._around
        return f"{before}{token * features}{after}" if before else self.shown.replace(token, token * features)

    def _placed(self, value: Tensor) -> Tensor:
        dtype = self._module.dtype if value.is_floating_point() else value.dtype
        return value.to(self.device, dtype)


class TextReference:
    """The same model on texts without pictures, which are not scored."""

    answers: tuple[Answer, ...] = ()
    prefix: tuple[int, ...] = ()

    def __init__(self, seeing: SeeingReference, folder: Path, items: Sequence[ProofItem]) -> None:
        self.items = tuple(items)
        self.precision = seeing.precision
        self.parameters = seeing.parameters
        self.vocabulary = read_vocabulary(folder)
        self.rows = make_rows([item.question for item in items], self.vocabulary, seeing.positions)
        self._seeing = seeing

    def logits(self, stretches: Sequence[Stretch]) -> list[Tensor]:
        """Float32 logits [tokens from `start` on, vocabulary] of each stretch."""
        return [self._seeing.text_logits(stretch.tokens, stretch.start) for stretch in stretches]


def _sizes(config: Any, processor: Any) -> Iterator[tuple[int, int]]:
    """Width and height of as many pictures as there are questions."""
    tower = config.vision_config
    if config.model_type in TILED:
        longest = int(processor.size["longest_edge"])
        yield from ((longest, longest), (longest, longest // 2), (longest, longest))
        return
    merged = getattr(tower, "spatial_merge_size", None)
    if merged is not None:
        step = tower.patch_size * merged
        least = int(processor.size["shortest_edge"])
        while (8 * step) * (8 * step) < least or step < 1:
            step *= 2
        yield from ((8 * step, 8 * step), (12 * step, 8 * step), (8 * step, 12 * step))
        return
    yield from ((tower.image_size, tower.image_size) for _ in _QUESTIONS)


def _drawn(width: int, height: int, seed: int) -> Picture:
    """A slope of colours with a disc and a rectangle, and some noise, the same each time."""
    from PIL import Image

    random = np.random.default_rng(seed)
    down, across = np.mgrid[0:height, 0:width] / max(1, max(width, height))
    pixels = np.stack([across, down, 1 - (across + down) / 2], axis=-1) * random.uniform(80, 255, 3)
    middle, radius = random.uniform(0.2, 0.5, 2), random.uniform(0.1, 0.2)
    pixels[(across - middle[0]) ** 2 + (down - middle[1]) ** 2 < radius**2] = random.uniform(0, 255, 3)
    pixels[: height // 4, : width // 3] = random.uniform(0, 255, 3)
    pixels += random.normal(0, 12, pixels.shape)
    return Picture(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), f"drawn {width} x {height}, {seed}")
