"""A text model's weights in a vision-language model, against plain torch on the stored tensors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

from support.vision_merges import by_hand, merged, tensors
from support.vision_models import FAMILIES, IMAGE_ROW, stored_name

Pair = Callable[[str], Path]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_language_part_is_merged_and_all_else_is_the_base_s(family: str, pair: Pair) -> None:
    folder = pair(family)
    base, text, child = tensors(folder / "eyes"), tensors(folder / "text"), tensors(merged(folder))
    assert set(child) == set(base)
    spoken = {stored_name(family, name): tensor for name, tensor in text.items()}
    assert spoken.keys() < base.keys()
    for name, tensor in child.items():
        expected = by_hand(base[name], spoken[name]) if name in spoken else base[name]
        torch.testing.assert_close(tensor, expected, atol=1e-6 if name in spoken else 0, rtol=0)
    assert any(name.startswith(FAMILIES[family].tower) for name in child.keys() - spoken.keys())
    for name in ("preprocessor_config.json", "processor_config.json", "tokenizer.json"):
        assert (folder / "child" / name).read_bytes() == (folder / "eyes" / name).read_bytes()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_child_computes_what_a_model_merged_in_memory_does(family: str, pair: Pair) -> None:
    folder = pair(family)
    wanted = AutoModelForImageTextToText.from_pretrained(folder / "eyes").eval()
    text = AutoModelForCausalLM.from_pretrained(folder / "text")
    decoder = dict(wanted.get_decoder().named_parameters())
    with torch.no_grad():
        for name, parameter in text.model.named_parameters():
            decoder[name].copy_(by_hand(decoder[name], parameter))
        if wanted.lm_head.weight is not decoder["embed_tokens.weight"]:
            wanted.lm_head.weight.copy_(by_hand(wanted.lm_head.weight, text.lm_head.weight))
    child, report = AutoModelForImageTextToText.from_pretrained(merged(folder), output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    inputs = picture_inputs(family, wanted)
    with torch.no_grad():
        torch.testing.assert_close(child.eval()(**inputs).logits, wanted(**inputs).logits, atol=1e-4, rtol=1e-4)


def picture_inputs(family: str, model: Any) -> dict[str, Tensor]:
    """A text with a picture of one tile in it: four of its tokens, or as many as the family makes of it."""
    generator = torch.Generator().manual_seed(3)
    if "qwen" in family:
        patch = 3 * 2 * 4 * 4
        grid = torch.tensor([[1, 4, 4]])
        picture = {"pixel_values": torch.randn(16, patch, generator=generator), "image_grid_thw": grid}
        count = 4
    elif family in ("smolvlm", "idefics3"):
        picture = {"pixel_values": torch.randn(1, 1, 3, 16, 16, generator=generator)}
        count = 4
    elif family == "llava-next":
        picture = {"pixel_values": torch.randn(1, 3, 3, 16, 16, generator=generator), "image_sizes": torch.tensor([[16, 16]])}
        count = None
    else:
        picture = {"pixel_values": torch.randn(1, 3, 16, 16, generator=generator)}
        count = 4 if family == "gemma3" else 16
    if count is None:
        features = model.get_image_features(**picture).pooler_output
        count = sum(len(one) for one in features)
    ids = torch.tensor([[5, 7, *[IMAGE_ROW] * count, 9, 11, 3]])
    told = {"input_ids": ids, "attention_mask": torch.ones_like(ids), **picture}
    if family == "gemma3" or "qwen" in family:
        told["mm_token_type_ids" if "qwen" in family else "token_type_ids"] = (ids == IMAGE_ROW).long()
    return told
