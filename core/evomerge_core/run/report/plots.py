"""The report's plots: the search's scores, the winner and its rivals number by number, and parents against child."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evomerge_core.run.report.content import Report, ScoredCandidate
from evomerge_core.run.report.svg import INK, Frame, box, dot, line, percent_axis, picture, words

_COLOURS = {"search": "#2563eb", "mean": "#d97706", "parent": "#dc2626", "uniform": "#7c3aed", "winner": "#059669"}
_MOST_GENOMES = 12
_ROW = 24.0


def fitness_plot(report: Report) -> str | None:
    """Every candidate's score on what the search asked it, in the order of scoring; references as lines."""
    children = [candidate for candidate in report.scored if candidate.kind in ("search", "mean")]
    known = [candidate for candidate in report.scored if candidate.score is not None]
    if not known or not children:
        return None
    top = min(1.0, max(candidate.score or 0.0 for candidate in known) + 0.1)
    frame = Frame(60, 30, 640, 300, (0, max(child.number for child in children) + 1), (0.0, top))
    parts, most = percent_axis(frame, _steps(top)), max(child.items for child in children)
    for reference in known:
        if reference.kind in ("parent", "uniform"):
            y = frame.at(0, reference.score or 0.0)[1]
            parts.append(line([(frame.left, y), (frame.left + frame.width, y)], _COLOURS[reference.kind], dashed=True))
    for child in children:
        if child.score is not None:
            x, y = frame.at(child.number, child.score)
            colour = INK if child.mark else _COLOURS[child.kind]
            parts.append(dot(x, y, colour, radius=2.0 + 2.0 * child.items / max(1, most), note=_note(child)))
    parts += _legend(
        frame, [("candidate", "search"), ("average", "mean"), ("parent", "parent"), ("equal-weight merge", "uniform")]
    )
    parts.append(
        words(frame.left + frame.width, frame.top + frame.height + 20, "candidates in the order of scoring", anchor="end")
    )
    parts.append(words(frame.left, 16, "score on the search's items; small dots: few items"))
    return picture(720, 370, "Scores of the search's candidates", parts)


def genome_plot(report: Report) -> str | None:
    """The best candidates' genomes as a heat map, each number from the low to the high end of its range; the winner first."""
    ranked = _best(report)
    if not ranked or not report.dimensions:
        return None
    left = 8.0 + 7.0 * max(len(name) for name, _, _ in report.dimensions)
    cell = 46.0
    parts = []
    for column, (label, genome) in enumerate(ranked):
        x = left + cell * column
        parts.append(words(x + cell / 2, 20, label, anchor="middle", colour=_COLOURS["winner"] if column == 0 else INK))
        for row, (value, (name, low, high)) in enumerate(zip(genome, report.dimensions, strict=True)):
            y = 30 + _ROW * row
            share = (value - low) / ((high - low) or 1.0)
            parts.append(box(x, y, cell - 2, _ROW - 2, _shade(share), note=f"{label}: {name} = {value:.3f}"))
            parts.append(words(x + cell / 2 - 1, y + 15, f"{value:.2f}", anchor="middle", colour="#111827"))
    parts += [words(left - 8, 45 + _ROW * row, name, anchor="end") for row, (name, _, _) in enumerate(report.dimensions)]
    return picture(left + cell * len(ranked) + 8, 40 + _ROW * len(report.dimensions), "Genomes of the best candidates", parts)


def parents_plot(report: Report) -> str | None:
    """Test scores, or what votes say, with their 95 % intervals, in each precision: parents, equal-weight merges, the child."""
    if report.result is None:
        return None
    rows = _test_rows(report.result)
    top = min(1.0, max(row["interval"][1] for _, _, row in rows if row["interval"]) + 0.05) if rows else 1.0
    names = 7.0 * max((len(name) for name, _, _ in rows), default=1)
    frame = Frame(names + 16, 10, 420, _ROW * len(rows), (0.0, top), (0.0, 1.0))
    parts = []
    for number, (name, kind, row) in enumerate(rows):
        y = frame.top + _ROW * number + _ROW / 2
        parts.append(words(frame.left - 8, y + 4, name, anchor="end"))
        if row["test"] is None:
            parts.append(words(frame.left, y + 4, "failed"))
            continue
        low, high = row["interval"]
        ends = [(frame.at(low, 0)[0], y), (frame.at(high, 0)[0], y)]
        parts += [line(ends, _COLOURS[kind], width=3), dot(frame.at(row["test"], 0)[0], y, _COLOURS[kind], radius=5)]
        parts.append(words(frame.left + frame.width + 8, y + 4, f"{100 * row['test']:.1f} %"))
    title = f"{'Votes' if report.by_votes else 'Held-out test'} with 95 % intervals"
    return picture(frame.left + frame.width + 70, frame.top + frame.height + 10, title, parts)


def _steps(top: float) -> list[float]:
    step = 0.05 if top <= 0.3 else 0.1 if top <= 0.6 else 0.2
    return [step * number for number in range(int(top / step + 1e-9) + 1)]


def _note(one: ScoredCandidate) -> str:
    score = "failed" if one.score is None else f"{100 * one.score:.1f} % of {one.items} items"
    return f"{one.label}: {score}" + (f"; {one.mark}" if one.mark else "")


def _legend(frame: Frame, entries: Sequence[tuple[str, str]]) -> list[str]:
    parts, x, y = [], frame.left, frame.top + frame.height + 20
    for name, kind in entries:
        parts += [dot(x + 4, y - 4, _COLOURS[kind], radius=4), words(x + 12, y, name)]
        x += 26 + 7 * len(name)
    return parts


def _best(report: Report) -> list[tuple[str, tuple[float, ...]]]:
    """The winner, then the best candidates of the search."""
    size = len(report.dimensions)
    known = {child.label: child.genome for child in report.scored if child.genome and len(child.genome) == size}
    labels = [label for label in report.ranked if label in known]
    if report.result is not None and (winner := report.result["winner"]["name"]) in known:
        labels = [winner, *(label for label in labels if label != winner)]
    return [(label, known[label] or ()) for label in labels[:_MOST_GENOMES]]


def _test_rows(result: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    rows, winner = [], result["winner"]["name"]
    for precision, part in [(result["precision"], result), *result["confirmed"].items()]:
        groups = (("parent", part["parents"]), ("uniform", part["uniform"]), ("winner", [part["winner"]]))
        # an equal-weight merge that won is shown once
        found = [(kind, row) for kind, some in groups for row in some if kind == "winner" or row["name"] != winner]
        rows += [(f"{row['name']}, {precision}", kind, row) for kind, row in found]
    return rows


def _shade(share: float) -> str:
    """From white at the low end to a strong blue at the high one."""
    share = min(1.0, max(0.0, share))
    red, green, blue = (round(255 - share * (255 - end)) for end in (59, 130, 246))
    return f"#{red:02x}{green:02x}{blue:02x}"
