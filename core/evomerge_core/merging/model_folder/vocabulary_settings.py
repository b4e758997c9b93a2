"""What a child's config.json and generation_config.json say of its vocabulary: rows, and the ids that begin and end texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evomerge_core.files.json_file import read_json
from evomerge_core.sources.architecture import settings
from evomerge_core.sources.source import Source
from evomerge_core.sources.vocabulary.child_vocabulary import ChildVocabulary

# Families of which transformers knows nothing spell it in the second way.
_HEIGHT = ("vocab_size", "padded_vocab_size")


def with_vocabulary(config: Mapping[str, Any], template: Source, speaks: ChildVocabulary) -> dict[str, Any]:
    """A child's config.json with the height of its embedding, and with its special tokens where `template`'s differ.

    `config` is made of the config of `template`; a language model's settings inside of `text_config` follow as well.
    """
    changed = {**_height(config, template, speaks), **_tokens(template, speaks)}
    text = config.get("text_config")
    if not isinstance(text, dict):
        return _with(config, changed)
    outside = {key: value for key, value in changed.items() if key in config}
    return {**config, **outside, "text_config": _with(text, changed)}


def generation_config(template: Source, speaks: ChildVocabulary) -> dict[str, Any] | None:
    """A child's generation_config.json where it isn't `template`'s as it stands, or there is none; else None."""
    path = template.folder / "generation_config.json"
    changed = _tokens(template, speaks)
    if not changed or not path.is_file():
        return None
    return _with(read_json(path), changed)


def _height(config: Mapping[str, Any], template: Source, speaks: ChildVocabulary) -> dict[str, Any]:
    known = settings(template)
    keys = [key for key in _HEIGHT if key in config or key in known]
    return {} if speaks.rows is None else {key: speaks.rows for key in keys if known.get(key) != speaks.rows}


def _tokens(template: Source, speaks: ChildVocabulary) -> dict[str, Any]:
    """The special tokens' ids; nothing where the template is the model that says them already."""
    if speaks.own == template.reference:
        return {}
    ends: Any = speaks.ends[0] if len(speaks.ends) == 1 else list(speaks.ends) or None
    return {"bos_token_id": speaks.bos, "eos_token_id": ends, "pad_token_id": speaks.pad}


def _with(stated: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """`stated` with what is changed; a token that neither has isn't mentioned."""
    return {**stated, **{key: value for key, value in changed.items() if value is not None or key in stated}}
