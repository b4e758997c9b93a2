"""Candidates as a person reads them: words beside labels such as `g4.5`, `mean 5` or `best 8`, which commands take."""

from __future__ import annotations

# Of other kinds the word is the store's.
_KINDS = {"search": "child", "mean": "average", "pool": "trial"}


def kind_word(kind: str) -> str:
    """A candidate's kind in one word."""
    return _KINDS.get(kind, kind)


def candidate_name(label: str, kind: str) -> str:
    """The name of a candidate in a sentence: its label, or what it is the average of."""
    if kind != "mean":
        return label
    return f"average of generation {label.removeprefix('mean ')}" if label.startswith("mean ") else f"average of the {label}"


def description(label: str, kind: str, generation: int | None) -> str:
    """What a candidate is, in a few words; `generation` counts from 0."""
    number = (generation or 0) + 1
    words = {
        "search": f"child of generation {number}",
        "mean": candidate_name(label, kind),
        "uniform": "equal-weight merge",
        "drawn": "drawn to compare precisions",
        "founder": "member of an earlier run's archive",
        "pool": "models of the pool, tried with equal weights",
    }
    return words.get(kind, kind)
