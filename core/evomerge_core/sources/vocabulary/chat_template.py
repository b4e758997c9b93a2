"""Chat templates: where they are kept, which are the same, and with which token they end a turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.bounded import read_bounded
from evomerge_core.files.json_file import read_json
from evomerge_core.limited.chat_template import render_template
from evomerge_core.limited.limited_process import Refused
from evomerge_core.sources.stored.processor_template import processor_template

# transformers' longest test template has 20,000.
_MOST_BYTES = 1_000_000
_ANSWER = "evomerge-probe-answer"
_CONVERSATION = ({"role": "user", "content": "evomerge-probe-question"}, {"role": "assistant", "content": _ANSWER})


def template_of(folder: Path) -> str | None:
    """The default chat template of a tokenizer folder; None when it has none."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        try:
            return read_bounded(file, most=_MOST_BYTES, remedy="download or copy it again").decode("utf-8")
        except UnicodeDecodeError:
            raise InputError("not text in UTF-8", where=file, remedy="download or copy it again") from None
    if not (folder / "tokenizer_config.json").is_file():
        return processor_template(folder)
    template = read_json(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(template, list):
        named = [entry for entry in template if isinstance(entry, dict) and entry.get("name") == "default"]
        template = named[-1].get("template") if named else None
    return template if isinstance(template, str) else processor_template(folder)


def meaning(template: str) -> str:
    """The template without what Jinja or a file's editor adds: templates with one meaning are the same one."""
    return template.replace("\r\n", "\n").strip()


def turn_end(template: str | None, special: Iterable[str], named: Mapping[str, str]) -> str | None:
    """The special token that the template writes after an answer; None where it writes none or refuses a short conversation.

    `named` are the tokenizer's own tokens by the names that templates call them by (`eos_token`).
    """
    if template is None:
        return None
    try:
        written = render_template(template, _CONVERSATION, named)
    except Refused:
        return None
    if _ANSWER not in written:
        return None
    after = written.rpartition(_ANSWER)[2].lstrip()
    return max((token for token in special if after.startswith(token)), key=len, default=None)
