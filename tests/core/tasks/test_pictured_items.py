"""Items that show pictures: where a picture may be, what is refused, and where it stands in a prompt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from evomerge_core.errors import InputError
from evomerge_core.limited.chat_template import PictureMark
from evomerge_core.tasks.draw_items import draw_items, read_items
from evomerge_core.tasks.item_hashes import item_hashes, require_same_items
from evomerge_core.tasks.items.item_files import load_items
from evomerge_core.tasks.items.items import Item
from evomerge_core.tasks.items.pictures import require_whole
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.spec import Splits, TaskSpec

MARK = PictureMark("<image>", "<image>")
FIELDS = {"question": "question", "answer": "answer", "image": "image"}


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (8, 6)) -> bytes:
    """A file of noise; its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path.read_bytes()


def items_file(folder: Path, *cells: object, name: str = "items.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"question": f"q{n}", "answer": f"a{n}", "image": cell} for n, cell in enumerate(cells)]
    path = folder / name
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def shown(item: Item) -> list[str]:
    return [one.sha256 for one in item.pictures]


@pytest.mark.parametrize("fields", [FIELDS, None])
def test_a_file_beside_the_items_is_a_picture(fields: dict[str, Any] | None, tmp_path: Path) -> None:
    content = picture(tmp_path / "pictures" / "one.PNG")
    (item,) = load_items(items_file(tmp_path, "pictures/one.PNG"), fields)
    assert shown(item) == [hashlib.sha256(content).hexdigest()]
    assert "image" not in item.fields
    assert item.pictures[0].read().image.size == (6, 8)


@pytest.mark.parametrize("cell", [lambda b: b, lambda b: {"bytes": b, "path": None}, lambda b: {"bytes": b, "path": "x.png"}])
@pytest.mark.parametrize("fields", [FIELDS, None])
def test_a_column_of_a_parquet_file_holds_pictures(
    cell: Callable[[bytes], object], fields: dict[str, Any] | None, tmp_path: Path
) -> None:
    content = picture(tmp_path / "one.png")
    (item,) = load_items(items_file(tmp_path / "data", cell(content), name="items.parquet"), fields)
    assert shown(item) == [hashlib.sha256(content).hexdigest()]
    assert item.pictures[0].read().image.size == (6, 8)


def test_a_path_in_a_parquet_file_and_several_pictures_are_read(tmp_path: Path) -> None:
    first, second = picture(tmp_path / "a.png"), picture(tmp_path / "b.png", 1)
    (item,) = load_items(items_file(tmp_path, {"bytes": None, "path": "b.png"}, name="items.parquet"))
    assert shown(item) == [hashlib.sha256(second).hexdigest()]
    (both,) = load_items(items_file(tmp_path, ["b.png", "a.png"]))
    assert shown(both) == [hashlib.sha256(content).hexdigest() for content in (second, first)]


def test_the_picture_is_part_of_what_an_item_is(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    path = items_file(tmp_path, "a.png")
    (before,) = load_items(path)
    (tmp_path / "renamed.png").write_bytes((tmp_path / "a.png").read_bytes())
    (renamed,) = load_items(items_file(tmp_path, "renamed.png"))
    picture(tmp_path / "a.png", seed=1)
    (after,) = load_items(items_file(tmp_path, "a.png"))
    assert before.id == renamed.id != after.id


def test_the_same_question_of_another_picture_is_another_item(tmp_path: Path) -> None:
    for seed in range(3):
        picture(tmp_path / f"{seed}.png", seed)
    rows = [{"question": "What is this?", "answer": f"a{n}", "image": f"{n % 3}.png"} for n in (0, 1, 2)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]), encoding="utf-8")
    spec = TaskSpec.model_validate({"name": "t", "file": "items.jsonl", "scorer": "exact"})
    read = read_items(spec, make_task(spec), folder=tmp_path)
    assert len(read.items) == 3
    assert "1 of 4 items repeat" in read.notes[0]


OUTSIDE = "leads outside the items' folder"
REFUSED = {
    "missing.png": "no such picture",
    "../outside.png": OUTSIDE,
    "pictures/../../outside.png": OUTSIDE,
    "..\\outside.png": OUTSIDE,
    "C:\\outside.png": OUTSIDE,
    "/etc/passwd": OUTSIDE,
    "link.png": OUTSIDE,
    "https://example.com/a.png": "is an address; pictures are never fetched",
    "http:a.png": "is an address",
    "file:///etc/a.png": "is an address",
    "data:image/png;base64,iVBORw0KGgo=": "is an address",
    "text.png": "not a picture that can be read",
    "a\nb.png": "can't be a path",
    "": "no picture",
    "pictures": "no such picture",
}


@pytest.mark.parametrize("cell", [*REFUSED, None, 5])
def test_what_is_no_picture_is_one_line_that_names_the_item(cell: object, tmp_path: Path) -> None:
    folder = tmp_path / "items"
    picture(folder / "pictures" / "good.png")
    picture(tmp_path / "outside.png")
    (folder / "text.png").write_text("no picture", encoding="utf-8")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    path = items_file(folder, "pictures/good.png", cell)
    with pytest.raises(InputError) as refused:
        load_items(path, FIELDS)
    line = str(refused.value)
    assert line.startswith(f"{path}:2: image")
    assert line.isprintable()
    wanted = REFUSED[cell] if isinstance(cell, str) else {None: "no picture", 5: "type int is no picture"}[cell]  # type: ignore[index]
    assert wanted in line


def test_a_huge_picture_is_refused_when_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = picture(tmp_path / "a.png", size=(40, 40))
    for limit in ("MOST_PIXELS", "MOST_BYTES"):
        with monkeypatch.context() as lowered:
            lowered.setattr(f"evomerge_core.files.picture.{limit}", 100)
            for path in (items_file(tmp_path, "a.png"), items_file(tmp_path, content, name="items.parquet")):
                with pytest.raises(InputError, match=rf"{path.name}.*1: image.*too large a picture"):
                    load_items(path)


def test_a_picture_that_ends_too_early_is_found_before_it_is_asked(tmp_path: Path) -> None:
    content = picture(tmp_path / "cut.png", size=(60, 60))
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    (item,) = load_items(items_file(tmp_path, "cut.png"))
    with pytest.raises(InputError, match=r"items.jsonl:1: image: cut.png: a broken picture"):
        require_whole(item.pictures)


def test_a_text_column_that_is_called_image_stays_text(tmp_path: Path) -> None:
    (item,) = load_items(items_file(tmp_path, "a cat on a mat"))
    assert item.fields["image"] == "a cat on a mat"
    assert not item.pictures
    (item,) = load_items(items_file(tmp_path, "https://example.com/a.png"))
    assert not item.pictures


class Chat:
    """A tokenizer with a template."""

    def __init__(self, template: str) -> None:
        self.chat_template = template
        self.special_tokens_map: dict[str, Any] = {}

    def get_chat_template(self) -> str:
        return self.chat_template


LISTS = (
    "{% for m in messages %}{{ m.role }}:{% for c in m.content %}"
    "{% if c.type == 'image' %}<image>{% elif c.type == 'text' %}{{ c.text }}{% endif %}{% endfor %};{% endfor %}"
)
TEXTS = "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}"
MIXED = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ 'system:' + m.content }};{% else %}user:{% for c in m.content %}"
    "{% if c.type == 'image' %}<image>{% else %}{{ c.text }}{% endif %}{% endfor %};{% endif %}{% endfor %}"
)
NO_IMAGES = (
    "{% for m in messages %}{% if m.content is not string %}{{ raise_exception('text') }}{% endif %}"
    "{{ m.role }}:{{ m.content }};{% endfor %}"
)


@pytest.mark.parametrize("template", [LISTS, TEXTS, MIXED, NO_IMAGES], ids=["lists", "texts", "mixed", "refusing"])
@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [("{question}", "<image>q0"), ("{question} {image} end", "q0 <image> end"), ("{image}\n{question}", "<image>\nq0")],
)
def test_a_prompt_places_its_picture_in_every_kind_of_template(template: str, prompt: str, wanted: str, tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (item,) = load_items(items_file(tmp_path, "a.png"))
    spec = {"name": "t", "file": "items.jsonl", "prompt": prompt, "system": "Be brief"}
    question = make_task(TaskSpec.model_validate(spec)).question(item, Chat(template), MARK)
    assert question.prompt == f"system:Be brief;user:{wanted};"
    assert question.pictures == tuple(shown(item))


def test_a_text_is_not_lost_in_a_template_for_lists(tmp_path: Path) -> None:
    (item,) = load_items(items_file(tmp_path, "no picture"), {"question": "question"})
    task = make_task(TaskSpec.model_validate({"name": "t", "file": "x.jsonl", "prompt": "{question}"}))
    assert task.question(item, Chat(LISTS), MARK).prompt == "user:q0;"


def test_without_a_template_the_token_stands_in_the_prompt(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (item,) = load_items(items_file(tmp_path, ["a.png", "a.png"]))
    task = make_task(TaskSpec.model_validate({"name": "t", "file": "x.jsonl", "prompt": "{question}", "chat": False}))
    assert task.question(item, Chat(""), PictureMark("<image>", "<image>\n")).prompt == "<image>\n<image>\nq0"
    assert task.plain_prompt(item) == "q0"


def test_a_data_set_s_own_token_is_the_place(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (item,) = load_items(items_file(tmp_path, "a.png"))
    task = make_task(TaskSpec.model_validate({"name": "t", "file": "x.jsonl", "prompt": "See <image>: {question}"}))
    assert task.question(item, Chat(TEXTS), MARK).prompt == "user:See <image>: q0;"
    twice = make_task(TaskSpec.model_validate({"name": "t", "file": "x.jsonl", "prompt": "<image> <image> {question}"}))
    with pytest.raises(InputError, match="'<image>', which stands for a picture"):
        twice.question(item, Chat(TEXTS), MARK)


@pytest.mark.parametrize("chat", [True, False])
def test_pictures_stand_in_one_place_of_a_prompt(chat: bool, tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (item,) = load_items(items_file(tmp_path, "a.png"))
    spec = {"name": "t", "file": "x.jsonl", "prompt": "{image} or {image}? {question}", "chat": chat}
    with pytest.raises(InputError, match=r"t: prompt: shows \{image\} more than once; write it once"):
        make_task(TaskSpec.model_validate(spec)).question(item, Chat(TEXTS), MARK)


@pytest.mark.parametrize("answers", [{"gold": "It is <image>"}, {"choices": ["a0", "<image>"], "scorer": "multiple_choice"}])
def test_an_answer_holds_no_picture(answers: dict[str, object], tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (item,) = load_items(items_file(tmp_path, "a.png"))
    task = make_task(TaskSpec.model_validate({"name": "t", "file": "x.jsonl", "prompt": "{question}", **answers}))
    with pytest.raises(InputError, match=r"items.jsonl:1: t: an answer has '<image>', which stands for a picture; take it out"):
        task.question(item, Chat(TEXTS), MARK)


def test_a_text_model_can_not_be_asked_about_a_picture(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (item,) = load_items(items_file(tmp_path, "a.png"))
    task = make_task(TaskSpec.model_validate({"name": "t", "file": "x.jsonl"}))
    with pytest.raises(InputError, match=r"items.jsonl:1: t: shows a picture, which a text model can't see; choose"):
        task.question(item, Chat(TEXTS))


@pytest.mark.parametrize("cell", ["https://example.org/1.jpg", ["s3://some/1.png"], "data:image/png;base64,iVBORw0KGgo="])
def test_addresses_that_nobody_named_as_pictures_are_told(cell: object, tmp_path: Path) -> None:
    path = items_file(tmp_path, cell, "a red square", cell)
    spec = TaskSpec.model_validate({"name": "cards", "file": path.name, "prompt": "{question}", "scorer": "exact"})
    read = read_items(spec, make_task(spec), folder=tmp_path)
    assert [item.pictures for item in read.items] == [(), (), ()]
    assert read.notes == ("2 of 3 items have an address for `image`: pictures are never fetched, so none is shown",)
    shown = spec.model_copy(update={"prompt": "{image} {question}"})
    with pytest.raises(InputError, match="the prompt shows `image`, which is an address; pictures are never fetched"):
        read_items(shown, make_task(shown), folder=tmp_path)


def test_splits_of_pictured_items_are_drawn(tmp_path: Path) -> None:
    for seed in range(6):
        picture(tmp_path / f"{seed}.png", seed)
    items_file(tmp_path, *(f"{seed}.png" for seed in range(6)))
    spec = TaskSpec.model_validate({"name": "t", "file": "items.jsonl", "fields": FIELDS, "scorer": "exact"})
    drawn = draw_items(spec, make_task(spec), Splits(search=2, validation=2, test=2), folder=tmp_path)
    hashes = {one for item in (*drawn.search, *drawn.validation, *drawn.test) for one in shown(item)}
    assert len(hashes) == 6


def test_another_picture_in_a_file_s_place_stops_a_run_that_goes_on(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 1)
    items_file(tmp_path, "a.png")
    spec = TaskSpec.model_validate({"name": "t", "file": "items.jsonl", "fields": FIELDS, "scorer": "exact"})
    began = item_hashes(spec, folder=tmp_path)
    require_same_items(spec, began, item_hashes(spec, folder=tmp_path))
    picture(tmp_path / "a.png", 2)
    with pytest.raises(InputError, match="the items of t, or pictures that they show, changed since the run began"):
        require_same_items(spec, began, item_hashes(spec, folder=tmp_path))
