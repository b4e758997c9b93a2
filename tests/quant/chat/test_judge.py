"""A GGUF as a judge: what holds for any judge, whatever a random model thinks."""

from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.recipe.schema import Recipe
from evomerge_quant.chat.judge import judge_of, open_judge
from evomerge_quant.llama.model import LlamaModel, Offload, open_gguf
from support.tiny_gguf import save_folder, write_gguf

PAIRS = [("the cat", "one two"), ("a dog ran", "the mat"), ("12", "345 and 6"), ("", "sat on")]
OTHER = {"first": "second", "second": "first", "tie": "tie"}


@pytest.fixture(scope="module")
def judge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judge")
    return write_gguf(save_folder(folder / "model", 3, max_position_embeddings=2048), folder / "judge.gguf")


def test_the_answers_in_the_other_order_are_the_other_ones(judge_file: Path) -> None:
    with open_judge(judge_file) as judge:
        for first, second in PAIRS:
            choice, again = judge("tell me something", first, second)
            assert judge("tell me something", second, first) == (OTHER[again], OTHER[choice])


def test_between_two_equal_answers_only_the_order_speaks(judge_file: Path) -> None:
    with open_judge(judge_file) as judge:
        assert judge("tell me something", "the cat", "the cat") in {("first", "second"), ("second", "first"), ("tie", "tie")}


@pytest.mark.parametrize(
    ("device", "card", "offload"),
    [("cuda", True, Offload(0)), ("auto", True, Offload(0)), ("auto", False, None), ("cpu", True, None)],
)
def test_a_judge_leaves_the_card_to_candidates_that_are_scored_there(
    judge_file: Path, monkeypatch: pytest.MonkeyPatch, device: str, card: bool, offload: Offload | None
) -> None:
    asked = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: card)

    def recorded(path: Path, *, offload: Offload | None = None) -> LlamaModel:
        asked.append(offload)
        return open_gguf(path, offload=offload)

    monkeypatch.setattr("evomerge_quant.chat.judge.open_gguf", recorded)
    recipe = Recipe.model_validate(
        {
            "evomerge": 1,
            "name": "liked",
            "base": "base",
            "sources": ["first", "second"],
            "taste": {"prompts": ["the cat"], "judge": str(judge_file)},
            "budget": {"evaluations": 10},
            "evaluation": {"device": device},
        },
        context={"folder": judge_file.parent},
    )
    with judge_of(recipe):
        assert asked == [offload]


def test_a_file_that_can_not_judge_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(InputError, match=r"broken\.gguf"), open_judge(tmp_path / "broken.gguf"):
        pass
