"""The quickstart with pictures: what its pictures show, its base as transformers reads it, and what is shipped."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoImageProcessor, AutoTokenizer, LlamaConfig, LlamaForCausalLM, SmolVLMForConditionalGeneration
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor

from evomerge_core.files.picture import read_picture
from evomerge_core.sources.source import open_source
from evomerge_core.tasks.draw_items import draw_items
from evomerge_core.tasks.make_task import make_task
from evomerge_quant.resident.vision.eyes import look, open_eyes
from evomerge_recipes.catalogue import load_ready, ready_recipe
from evomerge_recipes.quickstart_vlm import prepare
from evomerge_recipes.quickstart_vlm.body import EYES_FILE, MARKS, shipped_eyes, write_body
from evomerge_recipes.quickstart_vlm.cards import COLOURS, adapter_lessons, ask, deal, eyes_lessons, task_cards, task_item
from evomerge_recipes.quickstart_vlm.drawing import PAINTS, SIZE, draw_cards
from evomerge_recipes.quickstart_vlm.prepare import ITEMS, ITEMS_FILE, ITEMS_SEED, items_folder
from support.source_models import write_tokenizer

SHIPPED = EYES_FILE.parents[1]


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base with the shipped eyes, around a tiny text model of the same width."""
    folder = tmp_path_factory.mktemp("vlm")
    return write_small_body(folder)


def write_small_body(folder: Path) -> Path:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=576, intermediate_size=32, num_hidden_layers=2, num_attention_heads=9,
        num_key_value_heads=3, tie_word_embeddings=True, pad_token_id=2, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder / "text")
    write_tokenizer(folder / "text", [f"w{row}" for row in range(64)], eos_token="w2")
    write_body(folder / "text", shipped_eyes(), folder / "body")
    return folder / "body"


def test_a_card_shows_its_colour() -> None:
    for cards in deal(12, 5):
        pixels = np.asarray(cards.draw(), dtype=np.int64)
        for place, colour in enumerate(cards.colours):
            top, left = SIZE // 2 * (place // 2), SIZE // 2 * (place % 2)
            quarter = pixels[top : top + SIZE // 2, left : left + SIZE // 2].reshape(-1, 3)
            shares = {name: near(quarter, paint) for name, (paint, _) in PAINTS.items()}
            assert max(shares, key=lambda name: shares[name]) == colour


def near(pixels: np.ndarray, paint: tuple[int, int, int]) -> float:
    """The share of pixels that are this paint, or a shade of it."""
    return float((np.abs(pixels - np.array(paint)).max(1) <= 10).mean())


def test_pictures_of_ten_digits_differ_and_one_is_drawn_alike_each_time() -> None:
    drawn = [draw_cards([("red", digit)] * 4, random.Random(3)).tobytes() for digit in range(10)]
    assert len(set(drawn)) == 10
    assert drawn[4] == draw_cards([("red", 4)] * 4, random.Random(3)).tobytes()


def test_a_question_names_one_card_and_its_digit() -> None:
    rng = random.Random(1)
    for cards in deal(50, 2):
        item = task_item(cards, rng)
        (colour,) = [colour for colour in COLOURS if f" {colour} card" in item["question"]]
        assert item["answer"] == str(cards.digits[cards.colours.index(colour)])
        assert item["gold"] == f"答えは{item['answer']}です。"
        asked = ask(cards, 2, rng)
        assert cards.colours[2] in asked.question
        assert [char for char in asked.styled if char.isdigit()] == [str(cards.digits[2])]


def test_no_picture_of_the_task_was_trained_on() -> None:
    task = {cards.shown for cards in task_cards(ITEMS, ITEMS_SEED)}
    assert len(task) == ITEMS
    assert not task & {cards.shown for cards in (*eyes_lessons(), *adapter_lessons())}


def test_items_lie_beside_their_pictures_and_are_made_once(tmp_path: Path) -> None:
    folder = items_folder(tmp_path)
    rows = [json.loads(line) for line in (folder / ITEMS_FILE).read_text(encoding="utf-8").splitlines()]
    assert len(rows) == ITEMS
    drawn = task_cards(ITEMS, ITEMS_SEED)
    for number in (0, ITEMS - 1):
        assert Image.open(folder / rows[number]["image"]).tobytes() == drawn[number].draw().tobytes()
    before = (folder / ITEMS_FILE).stat().st_mtime_ns
    assert items_folder(tmp_path) == folder
    assert (folder / ITEMS_FILE).stat().st_mtime_ns == before
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_the_recipe_names_what_is_there(body: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "base_folder", lambda _: body.parent / "text")
    recipe = load_ready(ready_recipe("quickstart-vlm"), tmp_path)
    assert open_source(recipe.base, relative_to=tmp_path).checkpoint.body is not None
    assert [source.name for source in recipe.sources] == ["vision", "japanese"]
    for source in recipe.sources:
        model, adapter = source.model.split("+")
        assert model == recipe.base
        assert (Path(adapter) / "adapter_model.safetensors").is_file()
    (task,) = recipe.tasks
    items = draw_items(task, make_task(task), recipe.splits, folder=tmp_path)
    assert len(items.test) == 200
    assert all(len(item.pictures) == 1 for item in items.test)


def test_transformers_reads_the_base_and_sees_what_a_run_sees(body: Path, tmp_path: Path) -> None:
    model = SmolVLMForConditionalGeneration.from_pretrained(body, dtype=torch.float32).eval()
    tokenizer, images = AutoTokenizer.from_pretrained(body), AutoImageProcessor.from_pretrained(body, backend="pil")
    processor = Idefics3Processor(images, tokenizer, image_seq_len=4)
    deal(1, 9)[0].draw().save(tmp_path / "cards.png")
    picture = read_picture(tmp_path / "cards.png")
    inputs = processor(text="<image>", images=[picture.image], return_tensors="pt")
    seen = look(open_eyes(body, torch.float32, torch.device("cpu")), picture)
    assert tokenizer(seen.text)["input_ids"] == inputs["input_ids"][0].tolist()
    with torch.no_grad():
        (features,) = model.get_image_features(inputs["pixel_values"]).pooler_output
    torch.testing.assert_close(seen.features, features)
    assert (inputs["input_ids"] == model.config.image_token_id).sum() == len(features)


def test_the_template_places_a_picture_and_says_what_the_text_models_says(body: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(body)
    parts = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "\nw3"}]}]
    text = [{"role": "user", "content": "<image>\nw3"}]
    told = {"add_generation_prompt": True, "tokenize": False}
    asked = tokenizer.apply_chat_template(parts, **told)
    assert asked == tokenizer.apply_chat_template(text, **told)
    assert asked.endswith("<|im_start|>user\n<image>\nw3<|im_end|>\n<|im_start|>assistant\n")


def test_the_base_is_a_model_whose_language_part_is_the_text_model(body: Path) -> None:
    source, text = open_source(str(body), relative_to=body), load_file(body.parent / "text" / "model.safetensors")
    assert source.checkpoint.body is not None
    assert set(source.names) == set(text)
    for name, tensor in text.items():
        assert torch.equal(source.read(name)[: len(tensor)], tensor)
    rows = source.read("model.embed_tokens.weight")[64:].float()
    assert len(rows) == len(MARKS)
    torch.testing.assert_close(rows[0], text["model.embed_tokens.weight"].double().mean(0).float(), atol=1e-3, rtol=1e-2)


def test_what_is_shipped_is_small_and_has_no_more_than_it_needs() -> None:
    shipped = [path for path in SHIPPED.rglob("*") if path.suffix == ".safetensors"]
    assert sorted(path.parent.name for path in shipped) == ["adapter", "eyes"]
    assert sum(path.stat().st_size for path in shipped) < 15_000_000
    assert all(tensor.isfinite().all() for path in shipped for tensor in load_file(path).values())
    assert {name.split(".")[1] for name in shipped_eyes()} == {"vision_model", "connector"}
