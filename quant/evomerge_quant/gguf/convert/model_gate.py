"""What a model must be before it is converted: free of faults that would silently become the GGUF's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.files.json_file import read_json
from evomerge_core.sources.checkpoint import open_checkpoint
from evomerge_core.sources.checks.finite import require_finite
from evomerge_core.sources.checks.soundness import own_problems
from evomerge_core.sources.pretrained import read_tokenizer
from evomerge_core.sources.source import Source
from evomerge_core.sources.vocabulary.chat_template import template_of
from evomerge_core.sources.vocabulary.rows import row_problems
from evomerge_quant.gguf.convert.window_pattern import check_windows

# Classes with which tokenizer.json is the whole tokenizer.
_WHOLE_FILE = ("PreTrainedTokenizerFast", "TokenizersBackend")
# Text that every tokenizer keeps, and texts in other scripts, where a small vocabulary may know too few letters.
_PLAIN = "The quick brown fox jumps over 13 lazy dogs, doesn't it? (Yes: 100%.)"
_OTHERS = (
    "Größe, naïve café: 3,14 €",
    "東京は日本の首都です。人口は約1400万人。",
    "Привет, мир! Сколько будет 12 + 30?",
    "def f(x):\n    return {'a': [x ** 2, None]}\n",
    "🦙 emoji, tabs\tand  double  spaces",
)


def check(folder: Path) -> tuple[str, ...]:
    """Warnings about a model that can be converted, one line each; InputError for one that shouldn't be."""
    check_windows(folder)
    check_weights(Source(str(folder), open_checkpoint(folder)))
    return check_tokenizer(folder)


def check_weights(source: Source) -> None:
    """InputError where the tied flag or `vocab_size` contradicts the tensors, a token has no embedding row, or a value is NaN
    or Inf."""
    problems = [*own_problems(source), *row_problems(source)]
    if problems:
        raise problems[0]
    require_finite(source)


def check_tokenizer(folder: Path) -> tuple[str, ...]:
    """Warnings, one line each.

    InputError when the tokenizer is missing, when it is code of the model's own, when it doesn't give plain text back, and when
    transformers' AutoTokenizer gives other ids than tokenizer.json itself, as it does for some families (transformers issues
    45488, 45812, 45920).
    """
    tokenizer = read_tokenizer(folder)
    _require_same_ids(folder, tokenizer)
    if _roundtrip(tokenizer, _PLAIN) != _PLAIN:
        raise InputError(
            f"{folder / 'tokenizer.json'}: {_PLAIN!r} comes back as {_roundtrip(tokenizer, _PLAIN)!r}: copy the tokenizer again"
        )
    return tuple(_tokenizer_warnings(folder, tokenizer))


def _require_same_ids(folder: Path, tokenizer: Any) -> None:
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        return
    plain = Tokenizer.from_file(str(path))
    for text in (_PLAIN, *_OTHERS):
        ours = list(tokenizer.encode(text, add_special_tokens=False))
        theirs: Sequence[int] = plain.encode(text, add_special_tokens=False).ids
        if ours != list(theirs):
            same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=False)))
            read, stored = _short(ours[same:]), _short(theirs[same:])
            raise InputError(
                f"transformers' AutoTokenizer reads {text!r}, from token {same} on, as {read}, but the file itself as {stored}",
                where=path,
                remedy=_tokenizer_remedy(folder),
            )


def _tokenizer_remedy(folder: Path) -> str:
    """For some families AutoTokenizer ignores the class that the tokenizer's settings name."""
    path = folder / "tokenizer_config.json"
    named = read_json(path).get("tokenizer_class") if path.is_file() else None
    if named in _WHOLE_FILE:
        return f"use another version of transformers, since this one ignores that tokenizer_class is {named}"
    return "set tokenizer_class to PreTrainedTokenizerFast in tokenizer_config.json, or use another version of transformers"


def _short(ids: Sequence[int]) -> str:
    return f"{list(ids[:6])}{'...' if len(ids) > 6 else ''}"


def _roundtrip(tokenizer: Any, text: str) -> str:
    ids = tokenizer.encode(text, add_special_tokens=False)
    back: str = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    # SentencePiece puts a space before the first word.
    return back.removeprefix(" ")


def _tokenizer_warnings(folder: Path, tokenizer: Any) -> Iterator[str]:
    lost = [text for text in _OTHERS if _roundtrip(tokenizer, text) != text]
    if lost:
        yield f"the tokenizer doesn't give back {lost[0]!r}" + (f" and {len(lost) - 1} more probes" if len(lost) > 1 else "")
    if template_of(folder) is None:
        yield "there is no chat template: runners will guess one, and `evomerge-tui chat` refuses the file"
