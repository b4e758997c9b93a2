"""The question that a quickstart's file is asked at its end: with its picture, at temperature 0."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evomerge_core.tasks.items.item_files import load_items
from evomerge_quant.chat.chat import Reply
from evomerge_quant.chat.conversation import Conversation
from evomerge_quant.chat.sampling import Sampling
from evomerge_tui.cli.quickstart import ending


class Listener:
    """A chat that keeps what it is asked, and how."""

    sampling = Sampling()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def reply(self, conversation: Conversation, sampling: Sampling, _stop: object) -> Iterator[Any]:
        self.asked, self.how = conversation.messages, sampling
        yield "7"
        yield Reply("7", conversation, 1, 0.0, 1, "end")


@pytest.mark.parametrize("pictures", [0, 1])
def test_a_file_is_asked_the_items_question_with_its_picture(
    pictures: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = Listener()
    monkeypatch.setattr("evomerge_quant.chat.chat.open_chat", lambda _: chat)
    Image.new("RGB", (5, 3), (205, 35, 40)).save(tmp_path / "card.png")
    image = ', "image": "card.png"' if pictures else ""
    (tmp_path / "items.jsonl").write_text(f'{{"question": "Which?", "answer": "7"{image}}}\n', encoding="utf-8")
    (item,) = load_items(tmp_path / "items.jsonl")
    assert ending._answer(tmp_path / "model.gguf", item) == "7"
    (message,) = chat.asked
    assert (message.role, message.text) == ("user", "Which?")
    assert [picture.image.size for picture in message.pictures] == [(5, 3)] * pictures
    assert chat.how.temperature == 0.0
