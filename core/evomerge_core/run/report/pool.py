"""How a run's sources were chosen from its pool, as a section of a report."""

from __future__ import annotations

from collections.abc import Iterator

from evomerge_core.run.report.words import percent, plain
from evomerge_core.run.view.pool import Selection, Told


def pool_section(selection: Selection) -> Iterator[str]:
    """Who was taken and who wasn't, why, and what each scored alone."""
    yield from ("", "## Sources", "")
    score = "" if selection.score is None else f", whose equal-weight merge scored {percent(selection.score)}"
    taken = ", ".join(plain(name) for name in selection.taken)
    yield f"Chosen from {len(selection.members)} models: {taken}{score} on {selection.items} items of the search."
    yield (
        f"That took {selection.answers} answers and {selection.tokens:,} tokens, which count as {selection.evaluations} "
        "evaluations of the budget, at most half of it."
    )
    yield from ("", "| model | taken | score alone | right answer | right language | why |")
    yield "| --- | --- | ---: | ---: | ---: | --- |"
    yield from (_row(member) for member in selection.members)
    tasks = max((tuple(member.tasks) for member in selection.members), key=len)
    if len(tasks) > 1:
        yield from ("", f"| model | {' | '.join(map(plain, tasks))} |", f"| --- |{' ---: |' * len(tasks)}")
        for member in selection.members:
            if member.tasks:
                yield f"| {plain(member.name)} | {' | '.join(percent(member.tasks[task]) for task in tasks)} |"


def _row(member: Told) -> str:
    parts = ("" if part is None else percent(part) for part in (member.score, member.right, member.language))
    return f"| {plain(member.name)} | {'yes' if member.taken else ''} | {' | '.join(parts)} | {plain(member.why)} |"
