"""Fixtures of the chat tests: one tiny model serves them all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evomerge_quant.chat.chat import Chat, open_chat
from support.tiny_gguf import save_folder, write_gguf


@pytest.fixture(scope="session")
def chat_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_folder(tmp_path_factory.mktemp("chat") / "model")


@pytest.fixture(scope="session")
def chat_file(chat_folder: Path) -> Path:
    return write_gguf(chat_folder, chat_folder.with_name("model.gguf"))


@pytest.fixture
def chat(chat_file: Path) -> Iterator[Chat]:
    with open_chat(chat_file) as opened:
        yield opened
