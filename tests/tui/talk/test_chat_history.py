"""Conversations go on the next time, for the same file alone, and nobody else may read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from evomerge_quant.chat.conversation import Conversation
from evomerge_tui.talk.chat_history import chats_folder, forget_chat, keep_chat, recall_chat

SAID = Conversation.begin("Be brief.").plus("user", "What is ␛[31m?").plus("assistant", "A code.\nNo more.")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "child.gguf"
    file.write_bytes(b"GGUF")
    return file


def test_what_was_said_is_recalled_and_its_owners_alone(model: Path) -> None:
    assert recall_chat(model) is None
    keep_chat(model, SAID)
    assert recall_chat(model) == SAID
    (kept,) = chats_folder().iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(chats_folder().stat().st_mode) == 0o700
    forget_chat(model)
    assert recall_chat(model) is None
    assert list(chats_folder().iterdir()) == []
    forget_chat(model)


def test_another_model_begins_anew(model: Path, tmp_path: Path) -> None:
    keep_chat(model, SAID)
    other = tmp_path / "other.gguf"
    other.write_bytes(b"GGUF")
    assert recall_chat(other) is None
    os.utime(model, ns=(1, 1))
    assert recall_chat(model) is None, "the file was made anew"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"mark": 1}', '{"mark": null, "messages": [["user", 1]]}', "[" * 100_000])
def test_a_damaged_file_begins_anew(model: Path, text: str) -> None:
    keep_chat(model, SAID)
    (kept,) = chats_folder().iterdir()
    kept.write_text(text)
    assert recall_chat(model) is None


def test_a_long_conversation_keeps_its_system_message_and_its_end(model: Path) -> None:
    long = Conversation.begin("Be brief.")
    for number in range(500):
        long = long.plus("user", f"question {number}").plus("assistant", "yes")
    keep_chat(model, long)
    kept = recall_chat(model)
    assert kept is not None
    assert (kept.system, kept.messages[-2].text, len(kept.messages)) == ("Be brief.", "question 499", 401)
