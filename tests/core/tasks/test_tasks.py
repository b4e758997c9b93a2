"""Tasks out of recipe entries: what they ask, how they score, and what they refuse."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from evomerge_core.errors import InputError
from evomerge_core.tasks.draw_items import draw_items
from evomerge_core.tasks.evaluator import Answer
from evomerge_core.tasks.items.items import make_item
from evomerge_core.tasks.items.split import ItemSplits
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.spec import Splits, TaskSpec
from evomerge_core.tasks.task import Task, weighted_mean

SIZES = Splits(search=2, validation=1, test=3)


class _Chat:
    """A tokenizer whose chat template is plain to see."""

    chat_template = (
        "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }} {% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    special_tokens_map: Mapping[str, Any] = MappingProxyType({})

    def get_chat_template(self) -> str:
        return self.chat_template


class _Plain:
    chat_template = None
    special_tokens_map: Mapping[str, Any] = MappingProxyType({})

    def get_chat_template(self) -> str:
        raise AssertionError("a plain prompt needs no template")


def _spec(**keys: Any) -> TaskSpec:
    entry = {"name": "sums", "file": "sums.jsonl", "fields": {"question": "q", "answer": "a"}, "prompt": "{question}"}
    return TaskSpec.model_validate({**entry, "scorer": "final_number", **keys})


def _write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _sums(folder: Path, count: int = 6, name: str = "sums.jsonl", first: int = 0) -> None:
    _write(folder, name, [{"q": f"{n} + 1?", "a": n + 1} for n in range(first, first + count)])


def _draw(folder: Path, spec: TaskSpec, sizes: Splits = SIZES, **options: Any) -> ItemSplits:
    return draw_items(spec, make_task(spec), sizes, folder=folder, **options)


def test_a_question_carries_chat_prompt_gold_and_limits() -> None:
    task = make_task(
        _spec(system="Answer {language}.", gold="答えは{answer}です。", max_new_tokens=7, stop=["\n"], language="ja")
    )
    item = make_item({"question": "1 + 1?", "answer": ("2", "two"), "language": "briefly"})
    question = task.question(item, _Chat())
    assert question.prompt == "[system] Answer briefly. [user] 1 + 1? [assistant]"
    assert (question.gold, question.max_new_tokens, question.stop) == ("答えは2です。", 7, ("\n",))
    assert not question.add_special_tokens


def test_a_plain_prompt_leaves_special_tokens_to_the_tokenizer() -> None:
    question = make_task(_spec(chat=False, prompt="Q: {question} A:")).question(
        make_item({"question": "1 + 1?", "answer": "2"}), _Plain()
    )
    assert (question.prompt, question.add_special_tokens, question.gold) == ("Q: 1 + 1? A:", True, "2")


def test_a_right_number_in_the_wrong_language_scores_nothing() -> None:
    task = make_task(_spec(language="ja"))
    item = make_item({"question": "6 + 6?", "answer": "12"})
    right = task.score(item, Answer("答えは12です。", gold_logprob=-6.0, gold_tokens=4))
    assert (right.value, right.loss, right.language_ok, right.truncated) == (1.0, 1.5, True, False)
    english = task.score(item, Answer("The answer is 12.", truncated=True))
    assert (english.value, english.language_ok, english.truncated) == (0.0, False, True)
    assert math.isnan(english.loss)
    wrong = task.score(item, Answer("答えは13です。"))
    assert (wrong.value, wrong.language_ok) == (0.0, True)
    assert task.score(item, Answer("12")).value == 0.0


def test_choices_come_from_a_list_or_a_field_and_the_loss_is_the_right_ones() -> None:
    spec = _spec(scorer="multiple_choice", choices="options", fields={"question": "q", "answer": "a", "options": "o"})
    task = make_task(spec)
    item = replace(make_item({"question": "Which?", "answer": "1", "options": ("cat", "dog")}), right=1)
    question = task.question(item, _Chat())
    assert (question.choices, question.gold) == (("cat", "dog"), "")
    score = task.score(item, Answer(choice_logprobs=((-9.0, 1), (-4.0, 2))))
    assert (score.value, score.loss) == (1.0, 2.0)
    assert make_task(_spec(scorer="multiple_choice", choices=["yes", "no"])).expected(item).choices == ("yes", "no")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"task": "gsm9k"}, r"^sums: task: unknown ready task 'gsm9k'; did you mean 'gsm8k'"),
        ({"language": "jp"}, r"^sums: language: unknown language code 'jp'"),
        ({"system": "x", "chat": False}, "system has no effect"),
        ({"scorer": "multiple_choice", "choices": ["a", "b"], "gold": "x"}, "gold has no effect"),
    ],
)
def test_unknown_names_and_idle_keys_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_task(_spec(**keys))


def test_items_are_read_beside_the_recipe_and_split(tmp_path: Path) -> None:
    _sums(tmp_path)
    splits = _draw(tmp_path, _spec())
    assert [len(part) for part in (splits.search, splits.validation, splits.test)] == [2, 1, 3]


def test_a_file_for_each_split_keeps_to_its_file(tmp_path: Path) -> None:
    for first, name in [(0, "s.jsonl"), (10, "v.jsonl"), (20, "t.jsonl")]:
        _sums(tmp_path, name=name, first=first)
    files = {"search": "s.jsonl", "validation": "v.jsonl", "test": "t.jsonl"}
    splits = _draw(tmp_path, _spec(file=None, files=files))
    for items, name, size in [(splits.search, "s", 2), (splits.validation, "v", 1), (splits.test, "t", 3)]:
        assert len(items) == size
        assert all(item.origin.startswith(str(tmp_path / f"{name}.jsonl")) for item in items)
    with pytest.raises(InputError, match=r"sums: files: validation: .* there are 6"):
        _draw(tmp_path, _spec(file=None, files=files), Splits(search=6, validation=7, test=6))


def test_an_item_that_repeats_another_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = [{"q": f"{n} + 1?", "a": n + 1} for n in range(6)]
    _write(tmp_path, "sums.jsonl", rows)
    once = _draw(tmp_path, _spec())
    _write(tmp_path, "sums.jsonl", [*rows, rows[2], {**rows[4], "q": " 4 + 1? "}, rows[2]])
    thrice = _draw(tmp_path, _spec())
    assert (thrice.search, thrice.validation, thrice.test) == (once.search, once.validation, once.test)
    assert once.notes == ()
    assert thrice.notes == ("3 of 9 items repeat an earlier one and are left out",)


def test_items_with_the_same_words_and_other_choices_are_different_items(tmp_path: Path) -> None:
    rows = [{"q": "Which is true?", "o": [f"{n} is odd", f"{n + 1} is odd"], "a": f"{n} is odd"} for n in range(1, 12, 2)]
    _write(tmp_path, "sums.jsonl", [*rows, {**rows[0], "o": rows[0]["o"][::-1]}])
    spec = _spec(scorer="multiple_choice", choices="options", fields={"question": "q", "answer": "a", "options": "o"})
    splits = _draw(tmp_path, spec)
    assert "1 of 7 items repeat an earlier one and are left out" in splits.notes


def test_the_same_item_in_two_split_files_is_left_out_of_the_earlier_one_and_counted(tmp_path: Path) -> None:
    _sums(tmp_path, name="a.jsonl")
    _sums(tmp_path, name="b.jsonl", first=10)
    _sums(tmp_path, name="c.jsonl", first=15)
    files = {"search": "a.jsonl", "validation": "b.jsonl", "test": "c.jsonl"}
    read = _draw(tmp_path, _spec(file=None, files=files), Splits(search=2, validation=2, test=2))
    assert read.notes == ("1 of 18 items ask what a later split's file asks too and are left out of the earlier one",)
    with pytest.raises(InputError, match="there are 5"):
        _draw(tmp_path, _spec(file=None, files=files), Splits(search=2, validation=6, test=2))


def test_a_question_with_two_answers_is_left_out_counted_and_named(tmp_path: Path) -> None:
    rows = [{"q": f"{n} + 1?", "a": n + 1} for n in range(8)]
    doubtful = [{**rows[number], "a": 99} for number in (1, 2, 3, 4)]
    _write(tmp_path, "sums.jsonl", [*rows, *doubtful])
    read = _draw(tmp_path, _spec(), Splits(search=2, validation=1, test=1))
    asked = {item.texts("question")[0] for item in (*read.search, *read.validation, *read.test)}
    assert asked == {"0 + 1?", "5 + 1?", "6 + 1?", "7 + 1?"}
    (note,) = read.notes
    assert note.startswith("8 of 12 items answer the same question differently and are left out: ")
    assert "sums.jsonl:2 and " in note
    assert note.endswith("; 1 more")


@pytest.mark.parametrize(
    ("row", "keys", "message"),
    [
        ({"q": "x", "a": "many"}, {}, r"sums\.jsonl:1: sums: no number in the answer 'many'"),
        ({"q": "x", "a": "1"}, {"prompt": "{other}"}, "sums: prompt: no field 'other'"),
        ({"q": "x", "a": "1"}, {"gold": "{other}"}, "sums: gold: no field 'other'"),
        ({"q": "x", "a": "3 or 4"}, {}, r"sums\.jsonl:1: sums: 2 numbers in the answer '3 or 4', which must be one"),
        ({"q": "x\ud800", "a": "1"}, {}, r"sums\.jsonl:1: sums: the text has half a character"),
        ({"q": "x", "a": "1"}, {"scorer": "multiple_choice", "choices": "other"}, r"sums\.jsonl:1: sums: choices: no field"),
        ({"q": "x", "a": "c"}, {"scorer": "multiple_choice", "choices": ["x", "y"]}, "none of the choices"),
    ],
)
def test_an_item_that_cant_be_asked_or_scored_is_refused_before_the_run(
    tmp_path: Path, row: dict[str, Any], keys: dict[str, Any], message: str
) -> None:
    _write(tmp_path, "sums.jsonl", [row])
    with pytest.raises(InputError, match=message):
        _draw(tmp_path, _spec(**keys))


def test_excluded_questions_never_reach_the_splits(tmp_path: Path) -> None:
    _sums(tmp_path, count=9)
    (tmp_path / "held_out.tsv").write_text("3 + 1?\t4\n5  + 1?\t6\nnot there?\t1\n", encoding="utf-8")
    splits = _draw(tmp_path, _spec(), Splits(search=3, validation=2, test=2), exclude="held_out.tsv")
    asked = {str(item.fields["question"]) for part in (splits.search, splits.validation, splits.test) for item in part}
    assert asked == {f"{n} + 1?" for n in range(9)} - {"3 + 1?", "5 + 1?"}
    _write(tmp_path, "held_out.jsonl", [{"question": "3 + 1?"}])
    with pytest.raises(InputError, match="there are 8"):
        _draw(tmp_path, _spec(), Splits(search=3, validation=3, test=3), exclude="held_out.jsonl")


def test_exclusion_spares_a_test_file_of_its_own(tmp_path: Path) -> None:
    _sums(tmp_path, name="pool.jsonl", count=4)
    _sums(tmp_path, name="v.jsonl", first=10)
    _sums(tmp_path, name="test.jsonl", count=3)
    spec = _spec(file=None, files={"search": "pool.jsonl", "validation": "v.jsonl", "test": "test.jsonl"})
    _write(tmp_path, "held_out.jsonl", [{"question": f"{n} + 1?"} for n in range(3)])
    splits = _draw(tmp_path, spec, Splits(search=1, validation=6, test=3), exclude="held_out.jsonl")
    assert [item.fields["question"] for item in splits.search] == ["3 + 1?"]
    assert len(splits.test) == 3


def test_weights_are_shares_of_their_sum() -> None:
    assert weighted_mean({"a": 0.5, "b": 0.2}, {"a": 3.0, "b": 1.0}) == pytest.approx(0.75 * 0.5 + 0.25 * 0.2)
    assert weighted_mean({"a": 0.5}, {"a": 3.0, "b": 1.0}) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="at least one task"):
        weighted_mean({}, {})


def test_a_task_is_frozen() -> None:
    task = make_task(_spec())
    with pytest.raises(AttributeError):
        task.weight = 2.0  # type: ignore[misc]
    assert isinstance(task, Task)
