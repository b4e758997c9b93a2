"""Splits are disjoint, drawn by content, and steady when items are added."""

from __future__ import annotations

import hashlib

import pytest

from evomerge_core.errors import InputError
from evomerge_core.tasks.items.held_out import leave_out
from evomerge_core.tasks.items.items import Item, make_item
from evomerge_core.tasks.items.split import ItemSplits, Kept, split_items, without_repeats


def _items(count: int, first: int = 0) -> list[Item]:
    return [make_item({"question": f"question {n}"}, f"file:{n}") for n in range(first, first + count)]


def _ids(splits: ItemSplits) -> tuple[list[str], list[str], list[str]]:
    return [i.id for i in splits.search], [i.id for i in splits.validation], [i.id for i in splits.test]


def test_splits_have_their_sizes_and_share_nothing() -> None:
    search, validation, test = _ids(split_items(_items(100), search=20, validation=30, test=40, seed=1))
    assert (len(search), len(validation), len(test)) == (20, 30, 40)
    assert len({*search, *validation, *test}) == 90


def test_the_draw_follows_the_hash_of_seed_and_id_and_not_the_order_of_the_file() -> None:
    items = _items(50)
    drawn = split_items(items, search=10, validation=10, test=10, seed=7)
    assert drawn == split_items(items[::-1], search=10, validation=10, test=10, seed=7)
    lowest = sorted((hashlib.sha256(f"7|{item.id}".encode()).hexdigest(), item.id) for item in items)
    assert [item.id for item in (*drawn.test, *drawn.validation, *drawn.search)] == [name for _, name in lowest[:30]]


def test_another_seed_draws_others() -> None:
    one = split_items(_items(100), search=10, validation=10, test=10, seed=0)
    other = split_items(_items(100), search=10, validation=10, test=10, seed=1)
    assert set(_ids(one)[2]) != set(_ids(other)[2])


def test_a_larger_search_leaves_test_and_validation_alone_and_added_items_never_reorder() -> None:
    few, many = (split_items(_items(100), search=size, validation=10, test=20, seed=0) for size in (10, 60))
    assert (few.test, few.validation) == (many.test, many.validation)
    assert many.search[:10] == few.search
    grown = split_items(_items(100) + _items(3, first=1000), search=10, validation=10, test=20, seed=0)
    assert len(set(_ids(grown)[2]) & set(_ids(few)[2])) >= 17


def test_too_few_items_are_refused_with_the_numbers() -> None:
    with pytest.raises(InputError, match=r"need 60 items \(search 10, validation 20, test 30\), but there are 59"):
        split_items(_items(59), search=10, validation=20, test=30, seed=0)


def _asked(*rows: tuple[str, str, str]) -> list[Item]:
    return [make_item({"question": question, "answer": answer}, origin) for question, answer, origin in rows]


def _question(item: Item) -> str:
    return str(item.fields["question"])


def _answer(item: Item) -> str:
    return str(item.fields["answer"])


def _origins(kept: Kept) -> list[list[str]]:
    return [[item.origin for item in file] for file in kept.files]


def test_of_equal_items_the_first_stays() -> None:
    items = _asked(("x", "1", "f:1"), ("y", "1", "f:2"), ("x", "1", "f:9"))
    kept = without_repeats([items], _question, _answer)
    assert _origins(kept) == [["f:1", "f:2"]]
    assert (kept.repeats, kept.doubtful, kept.shared) == (1, 0, 0)


def test_a_question_with_two_answers_is_asked_with_neither_and_both_places_are_named() -> None:
    items = _asked(("x", "1", "f:1"), ("y", "1", "f:2"), ("x", "2", "f:9"), ("x", "1", "f:11"), ("z", "1", "f:12"))
    kept = without_repeats([items], _question, _answer)
    assert _origins(kept) == [["f:2", "f:12"]]
    assert (kept.repeats, kept.doubtful, kept.shared) == (0, 3, 0)
    assert kept.pairs == (("f:1", "f:9"),)


def test_what_two_splits_files_ask_is_asked_in_the_later_one() -> None:
    search = _asked(("x", "1", "f:1"), ("y", "1", "f:2"), ("v", "1", "f:3"), ("v", "1", "f:4"))
    kept = without_repeats(
        [search, _asked(("y", "1", "g:1")), _asked(("x", "1", "h:1"), ("y", "1", "h:2"))], _question, _answer
    )
    assert _origins(kept) == [["f:3"], [], ["h:1", "h:2"]]
    assert (kept.repeats, kept.doubtful, kept.shared) == (1, 0, 3)


def test_a_question_that_two_files_answer_differently_is_asked_in_neither() -> None:
    kept = without_repeats([_asked(("x", "1", "f:1")), _asked(("x", "2", "g:1"), ("y", "1", "g:2"))], _question, _answer)
    assert _origins(kept) == [[], ["g:2"]]
    assert kept.pairs == (("f:1", "g:1"),)


def test_held_out_questions_are_left_out_whatever_their_quotes_and_in_any_field() -> None:
    items = [
        make_item({"question": "Janet’s ducks lay  16 eggs.", "answer": "18"}),
        make_item({"question": "ローブは何巻?", "original": "A robe takes 2 bolts.", "answer": "3"}),
        make_item({"question": "Another one: 3 - 1?", "answer": "2"}),
        make_item({"question": "What is 30 + 1?", "answer": "31"}),
    ]
    questions = ["Janet's ducks lay 16 eggs.", "A robe takes 2 bolts.", "3 - 1?"]
    assert leave_out(items, [make_item({"question": question}) for question in questions]) == (items[2], items[3])


def test_an_exclusion_without_effect_or_with_nothing_left_is_refused() -> None:
    with pytest.raises(InputError, match="none of its questions"):
        leave_out(_items(3), _items(3, first=50))
    with pytest.raises(InputError, match="none is left"):
        leave_out(_items(3), _items(5))
