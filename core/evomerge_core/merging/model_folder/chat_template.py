"""Which chat template the child speaks with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from evomerge_core.errors import InputError
from evomerge_core.sources.source import Source
from evomerge_core.sources.vocabulary.chat_template import meaning, template_of


def chosen_template(wanted: str | None, sources: Mapping[str, Source]) -> str | None:
    """The Jinja text for `chat_template: wanted`; None keeps the tokenizer's own.

    `auto` is the template that most sources have (of several, the first's), where texts that mean the same are one; a source's
    reference is its own, and text with `{` is a template itself. InputError for anything else.
    """
    if wanted is None:
        return None
    if "{" in wanted:
        return wanted
    if wanted == "auto":
        found = [text for source in sources.values() if (text := template_of(source.tokenizer_folder)) is not None]
        if not found:
            raise InputError("auto, but no model has a template", where="chat_template", remedy="give one as Jinja text")
        most = Counter(meaning(text) for text in found).most_common(1)[0][0]
        return next(text for text in found if meaning(text) == most)
    if wanted not in sources:
        raise InputError(f"{wanted!r} is neither auto, nor Jinja text, nor one of the models", where="chat_template")
    text = template_of(sources[wanted].tokenizer_folder)
    if text is None:
        raise InputError(f"{wanted} has no template", where="chat_template", remedy="name another model, or give Jinja text")
    return text
