"""The archive's part of a report: Markdown, a heat map of items by members, and coverage over time."""

from __future__ import annotations

from collections.abc import Iterator

from evomerge_core.run.report.svg import FAINT, INK, Frame, box, dot, line, percent_axis, picture, words
from evomerge_core.run.report.words import percent, plain
from evomerge_core.run.view.archive import SOLVED, Archive, ArchiveMember, family

_ARCHIVE_COLOUR, _BEST_COLOUR = "#2563eb", "#d97706"
_MOST_NAMED = 8  # items that are named one by one
_MOST_LINES = 80  # of a family tree
_WIDE = 100  # items in a line of the map in text
_ROW, _WIDTH = 18.0, 720.0


def archive_section(archive: Archive) -> Iterator[str]:
    """The archive in Markdown."""
    tasks = list(archive.best_of_task)
    yield from ("", "## Archive", "")
    first, last = archive.coverage[0], archive.coverage[-1]
    yield (
        f"{len(archive.members)} members. If the right one answered each item of the search, they would reach "
        f"{percent(last.archive)} together ({percent(first.archive)} after the first generation); the best alone has "
        f"{percent(last.best)}."
    )
    yield ""
    if len(tasks) > 1:
        best = ", ".join(f"{plain(task)}: {plain(label)}" for task, label in archive.best_of_task.items())
        yield from (f"Best of each task: {best}.", "")
    if archive.team:
        team = ", ".join(plain(label) for label in archive.team)
        yield from (f"The smallest team that solves all that anybody solves: {team}.", "")
    yield from _table(archive, tasks)
    yield from _alone(archive)
    yield from ("", "Items by members, the hardest items first (# solved, + in part, . not):", "", "```")
    yield from text_map(archive)
    yield "```"
    yield from _family(archive)


def _table(archive: Archive, tasks: list[str]) -> Iterator[str]:
    yield f"| member | score |{''.join(f' {plain(task)} |' for task in tasks)} alone solves | parents |"
    yield f"| --- | ---: |{' ---: |' * len(tasks)} ---: | --- |"
    for one in archive.members:
        shares = "".join(f" {percent(one.by_task[task])} |" for task in tasks)
        yield f"| {plain(one.label)} | {percent(one.score)} |{shares} {len(one.alone)} | {_parents(one)} |"


def _parents(member: ArchiveMember) -> str:
    return " and ".join(plain(label) for label in member.parents)


def _alone(archive: Archive) -> Iterator[str]:
    """Who alone solves what."""
    some = [one for one in archive.members if one.alone]
    if some:
        yield from ("", "Solved by one member alone:", "")
    for one in some:
        named = [" ".join(archive.items[number]) for number in one.alone[:_MOST_NAMED]]
        more = f" and {len(one.alone) - len(named)} more" if len(one.alone) > len(named) else ""
        yield f"- {plain(one.label)}: {plain(', '.join(named))}{more}"


def _family(archive: Archive) -> Iterator[str]:
    """The ancestors of the best member that was bred."""
    bred = next((one.label for one in archive.members if one.parents), None)
    if bred is None:
        return
    lines = [f"{'  ' * depth}{label}" for depth, label in family(bred, archive.parents)]
    yield from ("", f"Family of {plain(bred)}, parents below their child:", "", "```", *lines[:_MOST_LINES])
    if len(lines) > _MOST_LINES:
        yield f"... {len(lines) - _MOST_LINES} more lines; all parents are in report.json"
    yield "```"


def text_map(archive: Archive) -> Iterator[str]:
    """Items by members in text: a line for each member and a column for each item."""
    order, wide = _hardest_first(archive), max(len(one.label) for one in archive.members)
    for start in range(0, len(order), _WIDE):
        for one, scores in zip(archive.members, archive.scores, strict=True):
            marks = "".join(_mark(scores[number]) for number in order[start : start + _WIDE])
            yield f"{one.label:>{wide}} {marks}"
        if start + _WIDE < len(order):
            yield ""


def _mark(score: float) -> str:
    return "#" if score >= SOLVED else "+" if score > 0.0 else "."


def _hardest_first(archive: Archive) -> list[int]:
    """The items' numbers: those that fewest solve first."""
    totals = [sum(scores) for scores in zip(*archive.scores, strict=True)]
    return sorted(range(len(totals)), key=lambda number: (totals[number], number))


def archive_map(archive: Archive | None) -> str | None:
    """Items by members as a picture: the darker, the better; None without an archive."""
    if archive is None:
        return None
    order = _hardest_first(archive)
    left, cell = 8.0 + 7.0 * max(len(one.label) for one in archive.members), max(2.0, min(18.0, _WIDTH / len(order)))
    parts = [words(left, 16, "the search's items, the hardest first")]
    for row, (one, scores) in enumerate(zip(archive.members, archive.scores, strict=True)):
        y = 26 + _ROW * row
        parts.append(words(left - 8, y + 13, one.label, anchor="end"))
        for column, number in enumerate(order):
            note = f"{one.label}: {' '.join(archive.items[number])}: {100 * scores[number]:.0f} %"
            parts.append(box(left + cell * column, y, cell * 0.9, _ROW - 2, _shade(scores[number]), note=note))
    return picture(left + cell * len(order) + 8, 36 + _ROW * len(archive.members), "Items by members of the archive", parts)


def _shade(score: float) -> str:
    red, green, blue = (round(start + score * (end - start)) for start, end in ((229, 37), (231, 99), (235, 235)))
    return f"#{red:02x}{green:02x}{blue:02x}"


def coverage_plot(archive: Archive | None) -> str | None:
    """What the archive reaches together, and its best member alone, after each generation; None without an archive."""
    if archive is None:
        return None
    last = archive.coverage[-1].generation
    frame = Frame(60, 30, 640, 260, (archive.coverage[0].generation, last), (0.0, 1.0))
    parts = percent_axis(frame, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    parts.append(line([(frame.left, 290), (frame.left + frame.width, 290)], FAINT, width=0.75))
    for colour, values in (
        (_ARCHIVE_COLOUR, [(one.generation, one.archive) for one in archive.coverage]),
        (_BEST_COLOUR, [(one.generation, one.best) for one in archive.coverage]),
    ):
        points = [frame.at(*value) for value in values]
        parts += [line(points, colour), dot(*points[-1], colour)]
    parts += [dot(64, 306, _ARCHIVE_COLOUR, radius=4), words(72, 310, "all members together")]
    parts += [dot(224, 306, _BEST_COLOUR, radius=4), words(232, 310, "best member")]
    parts.append(words(frame.left + frame.width, 310, f"generations, up to {last}", anchor="end", colour=INK))
    return picture(720, 320, "Coverage of the search's items by the archive", parts)
