"""How long rows are planned to be, from texts alone, beside the rows that a model is given."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import pytest

from evomerge_core.sources.pretrained import read_tokenizer
from evomerge_core.tasks.evaluator import Question
from evomerge_quant.planning.question_lengths import row_lengths, shared_tokens
from evomerge_quant.resident.answering.room import lengths_of
from evomerge_quant.resident.answering.row_lengths import RowLengths
from evomerge_quant.resident.answering.rows import make_rows
from evomerge_quant.resident.answering.vocabulary import read_vocabulary
from support.tiny_models import make_folder

WRITTEN = [
    Question("w30 w31 w32 w40", gold="w50", max_new_tokens=12),
    Question("w30 w31 w33", gold="w50 w51 w52", max_new_tokens=7),
    Question("w30 w31 w34 w35 w36 w37", max_new_tokens=3),
]
CHOSEN = [Question(f"w30 w{40 + i} w41", choices=("w50", "w60 w61")) for i in range(3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("questions", [WRITTEN, CHOSEN, WRITTEN + CHOSEN], ids=["written", "chosen", "both"])
def test_the_plan_counts_no_less_than_a_model_reads(folder: Path, questions: list[Question]) -> None:
    tokenizer = read_tokenizer(folder)
    shared = shared_tokens(questions, tokenizer)
    planned = reduce(RowLengths.or_longer, (row_lengths(question, tokenizer, shared) for question in questions))
    real = lengths_of(make_rows(questions, read_vocabulary(folder), 256))
    assert (planned.whole, planned.judged) == (real.whole, real.judged)
    # a text may end within a token; the more is shared, the more prompts are read at a time
    assert real.shared <= planned.shared <= real.shared + 1
    # nothing follows the last token of what may be written, which is counted all the same
    assert real.read <= planned.read <= real.read + 2


def test_what_nothing_is_written_after_needs_no_seat(folder: Path) -> None:
    assert row_lengths(CHOSEN[0], read_tokenizer(folder), 0).whole == 0
    assert lengths_of(make_rows(CHOSEN, read_vocabulary(folder), 256)).whole == 0


def test_prompts_of_which_one_begins_another_share_it(folder: Path) -> None:
    assert shared_tokens([Question("w30 w31"), Question("w30 w31 w41")], read_tokenizer(folder)) == 2
    assert shared_tokens([Question("w30"), Question("x31")], read_tokenizer(folder)) == 0
