"""Which chat template the child speaks with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.json_file import read_json
from evomerge_core.sources.source import Source


def chosen_template(wanted: str | None, sources: Mapping[str, Source]) -> str | None:
    """The Jinja text for `chat_template: wanted`; None keeps the tokenizer's own.

    `auto` is the template that most sources have (of several, the first's), a source's reference is its own, and text with
    `{` is a template itself. InputError for anything else.
    """
    if wanted is None:
        return None
    if "{" in wanted:
        return wanted
    if wanted == "auto":
        found = Counter(text for source in sources.values() if (text := template_of(source.tokenizer_folder)) is not None)
        if not found:
            raise InputError("auto, but no model has a template", where="chat_template", remedy="give one as Jinja text")
        return found.most_common(1)[0][0]
    if wanted not in sources:
        raise InputError(f"{wanted!r} is neither auto, nor Jinja text, nor one of the models", where="chat_template")
    text = template_of(sources[wanted].tokenizer_folder)
    if text is None:
        raise InputError(f"{wanted} has no template", where="chat_template", remedy="name another model, or give Jinja text")
    return text


def template_of(folder: Path) -> str | None:
    """The default chat template of a tokenizer folder; None when it has none."""
    if (folder / "chat_template.jinja").is_file():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    if not (folder / "tokenizer_config.json").is_file():
        return None
    template = read_json(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(template, list):
        named = {entry.get("name"): entry.get("template") for entry in template if isinstance(entry, dict)}
        template = named.get("default")
    return template if isinstance(template, str) else None
