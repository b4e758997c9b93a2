"""What a published child's card says of its scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from evomerge_quant.publishing.card import CardFacts, model_card
from evomerge_quant.publishing.gguf_facts import GgufFacts

VOTED: dict[str, Any] = {
    "items": 0,
    "precision": "bf16",
    "confirmed": {},
    "parents": [{"name": "first", "test": 0.4, "interval": [0.2, 0.6]}],
    "uniform": [],
    "stages": [],
    "winner": {"name": "g2.1", "test": 0.7, "interval": [0.5, 0.9]},
    "against": [{"against": "first", "wins": 5, "losses": 1, "p": 0.03}],
    "conclusion": "g2.1 is the winner",
    "taste": {"sentence": "20 of 20 votes (20 by a person; 2 ties)"},
}


def card_of(result: dict[str, Any]) -> str:
    return model_card(CardFacts("liked", "owner/liked", {}, (), (), weights=True, result=result))


def test_scores_by_votes_are_no_scores_on_items_of_a_test() -> None:
    card = card_of(VOTED)
    assert "items of a test" not in card
    assert "by the votes that chose the winner (20 of 20 votes" in card
    assert "this model wins 5 votes and loses 1" in card


def test_scores_on_a_test_say_on_how_many_items() -> None:
    card = card_of({**VOTED, "items": 120, "taste": None})
    assert "On the 120 items of a test that had no part in the search" in card
    assert "votes" not in card
    assert "this model wins 5 items and loses 1" in card


def test_files_of_no_run_are_not_called_a_merge(tmp_path: Path) -> None:
    (tmp_path / "some-Q8_0.gguf").write_bytes(b"model")
    (tmp_path / "mmproj-F16.gguf").write_bytes(b"eyes")
    model = GgufFacts(tmp_path / "some-Q8_0.gguf", "Q8_0", "somebody/some", "mit", (), (), sees=False)
    eyes = GgufFacts(tmp_path / "mmproj-F16.gguf", "F16", "some", None, (), (), sees=True)
    card = model_card(CardFacts("some", "owner/some", {"somebody/some": "mit"}, (), (model, eyes)))
    head = yaml.safe_load(card.split("---")[1])
    assert head["tags"] == ["evomerge", "gguf"]
    # its own name is no model that it was made of
    assert "base_model" not in head
    assert "Made of" not in card
    assert "merge of" not in card
    assert "llama-mtmd-cli -m some-Q8_0.gguf --mmproj mmproj-F16.gguf" in card
