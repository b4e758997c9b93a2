"""The chat template of a processor, which older versions of transformers kept apart from the tokenizer's."""

from __future__ import annotations

from pathlib import Path

from evomerge_core.files.json_file import read_json

_FILE = "chat_template.json"


def processor_template(folder: Path) -> str | None:
    """The template in a model folder's `chat_template.json`; None where there is no such file, or no template in it."""
    if not (folder / _FILE).is_file():
        return None
    template = read_json(folder / _FILE).get("chat_template")
    return template if isinstance(template, str) else None
