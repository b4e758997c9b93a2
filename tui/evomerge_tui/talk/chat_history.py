"""Conversations that go on the next time a model is chatted with: a file for each model, which only its owner may read.

A model is known by its file's path, size and time: a file that was made anew begins a new conversation. Pictures aren't kept.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from evomerge_core.errors import InputError
from evomerge_core.files.bounded import read_bounded
from evomerge_core.files.durable import write_whole
from evomerge_core.files.private import make_private_folder
from evomerge_quant.chat.conversation import Conversation, Message

# Of a long conversation the newest messages; a model's context holds no more.
_MOST_MESSAGES = 400
_MOST_BYTES = 5_000_000
_ROLES = ("system", "user", "assistant")


def chats_folder() -> Path:
    """Where conversations are kept."""
    return user_state_path("evomerge-tui", appauthor=False) / "chats"


def keep_chat(model: Path, conversation: Conversation) -> None:
    """Keeps what was said with the model of a GGUF file. InputError when it can't be written."""
    first = conversation.messages[:1] if conversation.system is not None else ()
    said = [*first, *conversation.messages[len(first) :][-_MOST_MESSAGES:]]
    text = json.dumps({"mark": _mark(model), "messages": [[one.role, one.text] for one in said]}, ensure_ascii=False)
    try:
        make_private_folder(chats_folder())
    except OSError as error:
        raise InputError(f"can't be written ({error.strerror})", where=chats_folder(), remedy="fix its permissions") from None
    write_whole(_place(model), text, mode=0o600)


def recall_chat(model: Path) -> Conversation | None:
    """What was said with this very file; None where nothing is kept, or nothing that can be read."""
    try:
        kept: Any = json.loads(read_bounded(_place(model), most=_MOST_BYTES, remedy=""))
    except (InputError, OSError, ValueError, RecursionError):
        return None
    if not isinstance(kept, dict) or kept.get("mark") != _mark(model):
        return None
    messages = kept.get("messages")
    if not isinstance(messages, list) or not messages or not all(map(_is_message, messages)):
        return None
    return Conversation(tuple(Message(role, text) for role, text in messages))


def forget_chat(model: Path) -> None:
    """Deletes what was said with a model. InputError when it can't be."""
    place = _place(model)
    try:
        place.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"can't be deleted ({error.strerror})", where=place, remedy="delete it") from None


def _place(model: Path) -> Path:
    return chats_folder() / f"{hashlib.sha256(str(model.absolute()).encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.json"


def _mark(model: Path) -> list[int]:
    try:
        facts = model.stat()
    except OSError:
        return []
    return [facts.st_size, facts.st_mtime_ns]


def _is_message(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and value[0] in _ROLES and isinstance(value[1], str)
