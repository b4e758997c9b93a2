"""What is said of a vision-language model: its parts, and which text models fit it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoModelForImageTextToText

from evomerge_core.sources.checks.compatibility import check
from evomerge_core.sources.inspection import inspect
from evomerge_core.sources.source import Source, open_source
from support.vision_models import FAMILIES, IMAGE, IMAGE_ROW, ROWS, write_vision_model

Pair = Callable[[str], Path]


def opened(folder: Path) -> Source:
    return open_source(str(folder), relative_to=Path())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_parts_are_those_that_transformers_builds(family: str, pair: Pair) -> None:
    folder = pair(family)
    model = AutoModelForImageTextToText.from_pretrained(folder / "eyes")
    facts = inspect(opened(folder / "eyes"))
    eyes = facts.vision
    assert eyes is not None
    language = {id(one) for one in (*model.get_decoder().parameters(), *model.lm_head.parameters())}
    beyond = sum(one.numel() for one in model.parameters() if id(one) not in language)
    assert eyes.tower.parameters + eyes.projector.parameters == beyond
    assert facts.parameters == sum(one.numel() for one in model.parameters())
    seeing = model.config.vision_config
    assert eyes.tower.kind == seeing.model_type
    assert eyes.tower.layers == 2
    assert eyes.tower.width == 16
    assert (facts.layers, facts.hidden_size, facts.rows) == (2, 32, ROWS)
    assert eyes.image_token == f"{IMAGE} ({IMAGE_ROW})"
    assert eyes.stored_as == FAMILIES[family].model
    assert eyes.fitting.startswith(f"text models of type {FAMILIES[family].text.model_type}: 2 layers, hidden size 32")
    assert eyes.processor == ("preprocessor_config.json", "processor_config.json")
    assert facts.problems == ()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_text_model_that_fits_is_said_to_fit(family: str, pair: Pair) -> None:
    folder = pair(family)
    eyes, text = opened(folder / "eyes"), opened(folder / "text")
    assert inspect(text).vision is None
    assert check(eyes, [text]) == []
    assert check(text, [eyes]) == []


def test_two_pairs_of_eyes_on_a_text_model_must_be_alike(pair: Pair) -> None:
    folder = pair("llava")
    write_vision_model(folder / "smol", "smolvlm")
    refusals = [str(error) for error in check(opened(folder / "text"), [opened(folder / one) for one in ("eyes", "smol")])]
    assert len(refusals) == 1
    assert refusals[0].startswith(f"{folder / 'smol'}: has another body: it is a 'smolvlm'")


@pytest.mark.parametrize(
    ("family", "said"), [("qwen3-vl", "no paths: features of the picture are added"), ("gemma3", ""), ("qwen2-vl", "")]
)
def test_what_a_family_cannot_do_is_said_with_its_reason(family: str, said: str, pair: Pair) -> None:
    facts = inspect(opened(pair(family) / "eyes")).vision
    assert facts is not None
    assert " ".join(facts.limits).startswith(said)
    assert bool(facts.limits) == bool(said)
