"""What transformers makes of pictures and texts: its processor, and the whole model on one text at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoTokenizer, Idefics3Processor, LlavaNextProcessor, LlavaProcessor

from support.vision_models import IMAGE, IMAGE_ROW, MARKS, TILED, image_processor

_TEXT = ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids")


class Transformers:
    """The oracle: transformers' processor, and the whole model on one text at a time."""

    def __init__(self, folder: Path, family: str) -> None:
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer, images = AutoTokenizer.from_pretrained(folder), image_processor(family)
        told = {"patch_size": 4, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
        self.types = {"gemma3": "token_type_ids"}.get(family, "mm_token_type_ids")
        self.is_marked = family == "gemma3" or family.startswith("qwen")
        if self.is_marked:
            self.images = images
        elif family in TILED:
            self.processor: Any = Idefics3Processor(images, self.tokenizer, image_seq_len=4)
        else:
            self.processor = (LlavaProcessor if family == "llava" else LlavaNextProcessor)(images, self.tokenizer, **told)

    def inputs(self, text: str, pictures: list[Path]) -> dict[str, Tensor]:
        shown = [Image.open(path).convert("RGB") for path in pictures]
        if self.is_marked:
            return self._marked(text, shown)
        return dict(self.processor(text=text, images=shown or None, return_tensors="pt"))

    def _marked(self, text: str, shown: list[Any]) -> dict[str, Tensor]:
        """As Qwen's and Gemma's processors make them, without the chat tokens that these want of a tokenizer."""
        read = dict(self.images(images=shown, return_tensors="pt")) if shown else {}
        read.pop("num_crops", None)
        grids = read.get("image_grid_thw")
        for number in range(len(shown)):
            count = 4 if grids is None else int(grids[number].prod()) // 4
            around = MARKS[:2] if grids is None else ("", "")
            text = text.replace(IMAGE, ("<shown>" * count).join(around), 1)
        ids = self.tokenizer(text.replace("<shown>", IMAGE), return_tensors="pt")["input_ids"]
        types = {self.types: (ids == IMAGE_ROW).long()} if shown else {}
        return {**read, **types, "input_ids": ids, "attention_mask": torch.ones_like(ids)}

    @torch.no_grad()
    def features(self, picture: Path) -> Tensor:
        inputs = self.inputs(f"w3 {IMAGE}", [picture])
        pixels = {name: value for name, value in inputs.items() if name not in _TEXT}
        (features,) = self.model.get_image_features(**pixels).pooler_output
        return features

    @torch.no_grad()
    def logprob(self, text: str, pictures: list[Path], gold: list[int]) -> float:
        inputs = self.inputs(text, pictures)
        start = inputs["input_ids"].shape[1]
        inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([gold])], dim=1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        if self.types in inputs:
            inputs[self.types] = (inputs["input_ids"] == IMAGE_ROW).long()
        logits = self.model(**inputs).logits[0, start - 1 : -1].double()
        return float(logits.log_softmax(-1).gather(1, torch.tensor(gold)[:, None]).sum())

    @torch.no_grad()
    def answer(self, text: str, pictures: list[Path], tokens: int) -> list[int]:
        inputs = self.inputs(text, pictures)
        out = self.model.generate(**inputs, do_sample=False, max_new_tokens=tokens, eos_token_id=2, pad_token_id=0)
        return list(out[0, inputs["input_ids"].shape[1] :].tolist())
