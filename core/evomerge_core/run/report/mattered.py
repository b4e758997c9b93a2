"""What mattered, as a section of a report."""

from __future__ import annotations

from collections.abc import Iterator

from evomerge_core.run.report.importance import Importance, NumberImportance
from evomerge_core.run.report.words import plain

_MOST_NUMBERS = 24


def mattered_section(found: Importance) -> Iterator[str]:
    """The numbers that matter most, in Markdown."""
    yield from ("", "## What mattered", "", how_it_was_found(found), "")
    yield from ("| number | correlation | 95 % interval | |", "| --- | ---: | ---: | --- |")
    for one in found.numbers[:_MOST_NUMBERS]:
        yield f"| {plain(one.name)} | {one.correlation:+.2f} | {one.low:+.2f} to {one.high:+.2f} | {direction(one)} |"
    if len(found.numbers) > _MOST_NUMBERS:
        yield from ("", f"{len(found.numbers) - _MOST_NUMBERS} more are in report.json.")


def how_it_was_found(found: Importance) -> str:
    """What the correlations are, and what they can't show."""
    return (
        f"How each number went along with the score among {found.candidates} candidates, inside of {found.generations} "
        "generations: 1 means the higher the better, -1 the lower the better (Spearman's rank correlation, with its 95 % "
        "bootstrap interval). Of 20 numbers that don't matter, about one looks clear by chance; and one whose best value lies "
        "in the middle of what was tried shows little."
    )


def direction(one: NumberImportance) -> str:
    """Which way is better, where that is clear."""
    return "" if not one.clear else "more is better" if one.correlation > 0 else "less is better"
