"""ROUGE-L on MeCab's words: values by hand, and what is said where MeCab isn't installed."""

from __future__ import annotations

import pytest

from evomerge_core.errors import InputError
from evomerge_core.tasks.evaluator import Answer
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.scorers.registry import get_scorer
from evomerge_core.tasks.scorers.scorer import Expected
from evomerge_core.tasks.spec import TaskSpec

# 赤い カード の 数字 は 7 です 。
ANSWER = "赤いカードの数字は7です。"


@pytest.mark.parametrize(
    ("references", "value"),
    [
        (("赤いカードの数字は7です。",), 1.0),
        (("赤いカードの数字は７です。",), 1.0),  # full width
        (("赤い カードの\n数字は7です。😀",), 1.0),
        (("数字は7です。",), 2 * 5 / (8 + 5)),
        (("青いカードの数字は3です。",), 2 * 6 / (8 + 8)),
        (("猫が寝ている",), 0.0),
        (("猫が寝ている", "数字は7です。"), 2 * 5 / (8 + 5)),
    ],
)
def test_the_share_of_common_words_counts(references: tuple[str, ...], value: float) -> None:
    assert get_scorer("rouge_l_ja").score(Answer(ANSWER), Expected(references)) == pytest.approx(value)


def test_an_empty_answer_scores_nothing() -> None:
    assert get_scorer("rouge_l_ja").score(Answer(""), Expected((ANSWER,))) == 0.0


@pytest.mark.parametrize("spec", [{"name": "t", "file": "x.jsonl", "scorer": "rouge_l_ja"}, {"task": "ja-vg-vqa-500"}])
def test_without_mecab_one_line_names_the_extra(spec: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evomerge_core.tasks.scorers.rouge_l_ja.find_spec", lambda _: None)
    with pytest.raises(InputError) as refused:
        make_task(TaskSpec.model_validate(spec))
    assert str(refused.value).endswith("scorer: rouge_l_ja needs the extra japanese; pip install 'evomerge-tui[japanese]'")
