"""The ready definitions, on files of the shapes that GSM8K and MGSM are published in."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from evomerge_core.tasks.draw_items import draw_items
from evomerge_core.tasks.evaluator import Answer
from evomerge_core.tasks.items.items import Item
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.ready import READY
from evomerge_core.tasks.spec import Splits, TaskSpec
from evomerge_core.tasks.task import Task

ALL_ONE = Splits(search=1, validation=1, test=1)
PICTURED = ("ja-vg-vqa-500", "ja-vlm-bench-in-the-wild")
LANGUAGES = ("bn", "de", "en", "es", "fr", "ja", "ru", "sw", "te", "th", "zh")


def _items(folder: Path, sizes: Splits = ALL_ONE, **keys: Any) -> tuple[Task, dict[str, Item]]:
    spec = TaskSpec.model_validate(keys)
    task = make_task(spec)
    splits = draw_items(spec, task, sizes, folder=folder)
    found = (*splits.search, *splits.validation, *splits.test)
    return task, {str(item.fields["question"]): item for item in found}


def test_gsm8k_and_every_language_of_mgsm_are_there() -> None:
    assert set(READY) == {"gsm8k", *(f"mgsm-{language}" for language in LANGUAGES), *PICTURED}
    for language in LANGUAGES:
        task = make_task(TaskSpec.model_validate({"task": f"mgsm-{language}"}))
        assert task.language == ("" if language == "en" else language)
        assert (task.max_new_tokens, task.scorer.name, task.chat) == (1024, "final_number", True)


def test_gsm8k_takes_the_number_after_the_hashes_and_the_solution_without_notes(tmp_path: Path) -> None:
    rows = [
        {"question": "Ducks?", "answer": "She sells 16 - 3 - 4 = <<16-3-4=9>>9 eggs.\nThat is 9 * 2 = $<<9*2=18>>18.\n#### 18"},
        {"question": "Loss?", "answer": "It falls.\n#### -2,125"},
        {"question": "Bare?", "answer": "7"},
    ]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    task, items = _items(tmp_path, task="gsm8k", file="test.jsonl")
    assert [items[name].fields["answer"] for name in ("Ducks?", "Loss?", "Bare?")] == ["18", "-2,125", "7"]
    solution = "She sells 16 - 3 - 4 = 9 eggs.\nThat is 9 * 2 = $18.\nThe answer is 18."
    assert task.gold_text(items["Ducks?"]) == solution
    assert task.gold_text(items["Bare?"]) == "The answer is 7."
    assert task.score(items["Loss?"], Answer("So he loses 2125, that is −2125.")).value == 1.0
    assert task.plain_prompt(items["Ducks?"]).startswith("Ducks?\n\nSolve this step by step")


@pytest.mark.parametrize("kind", ["tsv", "jsonl", "hub jsonl"])
def test_mgsm_is_read_from_its_tsv_and_from_named_columns(tmp_path: Path, kind: str) -> None:
    questions = ["アヒルは何個?", "ローブは何巻?", "利益はいくら?"]
    name = {"tsv": "mgsm_ja.tsv"}.get(kind, "mgsm.jsonl")
    if kind == "tsv":
        text = "".join(f"{question}\t2,125\n" for question in questions)
    elif kind == "jsonl":
        text = "".join(json.dumps({"question": question, "answer": "2125"}) + "\n" for question in questions)
    else:
        rows = [{"question": question, "answer": None, "answer_number": 2125} for question in questions]
        text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / name).write_text(text, encoding="utf-8")
    task, items = _items(tmp_path, task="mgsm-ja", file=name)
    item = items["利益はいくら?"]
    assert task.score(item, Answer("よって、答えは２１２５です。")).value == 1.0
    assert task.score(item, Answer("So the answer is 2125.")).value == 0.0
    assert task.gold_text(item) == f"答えは{item.fields['answer']}です。"


def test_a_recipe_may_change_any_key_of_a_ready_task(tmp_path: Path) -> None:
    text = "".join(f"{n}\t問{n}\tQuestion {n}?\n" for n in range(3))
    (tmp_path / "items.tsv").write_text(text, encoding="utf-8")
    task, items = _items(
        tmp_path,
        task="mgsm-ja",
        name="search",
        file="items.tsv",
        fields={"question": 1, "answer": 0, "original": 2},
        prompt="問題: {question}",
        language="zh",
        max_new_tokens=64,
    )
    assert (task.name, task.language, task.max_new_tokens) == ("search", "zh", 64)
    assert task.plain_prompt(items["問1"]) == "問題: 問1"
    assert items["問1"].fields["original"] == "Question 1?"


def _picture(number: int) -> dict[str, Any]:
    content = io.BytesIO()
    Image.new("RGB", (6, 4), (number, 0, 0)).save(content, "PNG")
    return {"bytes": content.getvalue(), "path": f"{number}.png"}


def test_the_first_question_of_each_picture_of_ja_vg_vqa_is_asked(tmp_path: Path) -> None:
    rows = [
        {
            "image_id": number,
            "image": _picture(number),
            "qas": [
                {"qa_id": 1, "question": f"問{number}", "answer": f"答えは{number}です。", "image_id": number},
                {"qa_id": 2, "question": "ほか", "answer": "ほかの答え", "image_id": number},
            ],
        }
        for number in (1, 2, 3)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "test.parquet")
    task, items = _items(tmp_path, task="ja-vg-vqa-500", file="test.parquet")
    assert set(items) == {"問1", "問2", "問3"}
    assert items["問2"].texts("answer") == ("答えは2です。",)
    assert items["問2"].pictures[0].read().image.getpixel((0, 0)) == (2, 0, 0)
    assert task.plain_prompt(items["問1"]).startswith("問1")
    assert task.score(items["問1"], Answer("答えは1です。")).value == 1.0
    assert task.score(items["問1"], Answer("The answer is 1.")).value == 0.0


def test_ja_vlm_bench_in_the_wild_is_read_as_published(tmp_path: Path) -> None:
    rows = [
        {"page_url": "x", "image_url": "y", "image": _picture(n), "question": f"問{n}", "answer": f"これは{n}番目の猫です。"}
        for n in (1, 2, 3)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "test.parquet")
    task, items = _items(tmp_path, task="ja-vlm-bench-in-the-wild", file="test.parquet")
    assert len({item.pictures for item in items.values()}) == 3
    assert task.score(items["問3"], Answer("これは3番目の猫です。")).value == 1.0
