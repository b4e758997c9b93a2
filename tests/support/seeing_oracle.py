"""What transformers makes of pictures and texts: its processor, and the whole model on one text at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoTokenizer, Idefics3Processor, LlavaNextProcessor, LlavaProcessor

from support.vision_models import IMAGE, TILED, image_processor


class Transformers:
    """The oracle: transformers' processor, and the whole model on one text at a time."""

    def __init__(self, folder: Path, family: str) -> None:
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
        tokenizer, images = AutoTokenizer.from_pretrained(folder), image_processor(family)
        told = {"patch_size": 4, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
        if family in TILED:
            self.processor: Any = Idefics3Processor(images, tokenizer, image_seq_len=4)
        else:
            self.processor = (LlavaProcessor if family == "llava" else LlavaNextProcessor)(images, tokenizer, **told)

    def inputs(self, text: str, pictures: list[Path]) -> dict[str, Tensor]:
        shown = [Image.open(path).convert("RGB") for path in pictures]
        return dict(self.processor(text=text, images=shown or None, return_tensors="pt"))

    @torch.no_grad()
    def features(self, picture: Path) -> Tensor:
        inputs = self.inputs(f"w3 {IMAGE}", [picture])
        pixels = {name: value for name, value in inputs.items() if name not in ("input_ids", "attention_mask")}
        (features,) = self.model.get_image_features(**pixels).pooler_output
        return features

    @torch.no_grad()
    def logprob(self, text: str, pictures: list[Path], gold: list[int]) -> float:
        inputs = self.inputs(text, pictures)
        start = inputs["input_ids"].shape[1]
        inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([gold])], dim=1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        logits = self.model(**inputs).logits[0, start - 1 : -1].double()
        return float(logits.log_softmax(-1).gather(1, torch.tensor(gold)[:, None]).sum())

    @torch.no_grad()
    def answer(self, text: str, pictures: list[Path], tokens: int) -> list[int]:
        inputs = self.inputs(text, pictures)
        out = self.model.generate(**inputs, do_sample=False, max_new_tokens=tokens, eos_token_id=2, pad_token_id=0)
        return list(out[0, inputs["input_ids"].shape[1] :].tolist())
