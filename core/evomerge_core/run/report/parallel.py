"""The candidates' genomes as lines across one axis for each number, the better the darker: what good ones have in common."""

from __future__ import annotations

from collections.abc import Sequence

from evomerge_core.run.report.content import Report, ScoredCandidate
from evomerge_core.run.report.svg import FAINT, line, picture, words

# More axes than this can't be told apart, nor more lines.
MOST_AXES = 24
MOST_LINES = 120
_GAP, _TOP, _HEIGHT, _LEFT = 46.0, 20.0, 260.0, 40.0
_GOOD, _WINNER = (37, 99, 235), "#059669"


def drawn_numbers(report: Report) -> list[int]:
    """The places of the numbers with an axis: those that matter most where there are too many, in the genome's order."""
    names = [name for name, _, _ in report.dimensions]
    if report.mattered is None or len(names) <= MOST_AXES:
        return list(range(len(names)))[:MOST_AXES]
    return sorted(names.index(one.name) for one in report.mattered.numbers[:MOST_AXES])


def drawn_candidates(report: Report) -> list[ScoredCandidate]:
    """The best of the search's scored candidates, the worst of them first, so that the best lies on top."""
    known = {one.label: one for one in report.scored if one.genome and len(one.genome) == len(report.dimensions)}
    return [known[label] for label in reversed(report.ranked[:MOST_LINES]) if label in known]


def share(report: Report, place: int, value: float) -> float:
    """Where a number lies between the ends of its range, 0..1."""
    _, low, high = report.dimensions[place]
    return min(1.0, max(0.0, (value - low) / ((high - low) or 1.0)))


def parallel_plot(report: Report) -> str | None:
    """The picture; None for paths and for fewer than two numbers or candidates."""
    axes, candidates = drawn_numbers(report), drawn_candidates(report)
    if len(axes) < 2 or len(candidates) < 2:
        return None
    across = [_LEFT + _GAP * number for number in range(len(axes))]
    parts = [line([(x, _TOP), (x, _TOP + _HEIGHT)], FAINT, width=0.75) for x in across]
    winner = None if report.result is None else report.result["winner"]["name"]
    for number, one in enumerate(candidates, 1):
        points = [
            (x, _TOP + _HEIGHT * (1 - share(report, place, (one.genome or ())[place]))) for x, place in _paired(across, axes)
        ]
        best = one.label == winner
        parts.append(line(points, _WINNER if best else _shade(number / len(candidates)), width=2.5 if best else 1.0))
    for number, (x, place) in enumerate(_paired(across, axes), 1):
        low, high = report.dimensions[place][1:]
        parts += [words(x, _TOP - 6, f"{high:g}", anchor="middle"), words(x, _TOP + _HEIGHT + 16, f"{low:g}", anchor="middle")]
        parts.append(words(x, _TOP + _HEIGHT + 32, str(number), anchor="middle"))
        parts.append(words(_LEFT, _TOP + _HEIGHT + 36 + 16 * number, f"{number}: {report.dimensions[place][0]}"))
    parts.append(words(_LEFT + 200, _TOP + _HEIGHT + 52, "darker: better; the winner green"))
    height = _TOP + _HEIGHT + 52 + 16 * len(axes)
    return picture(max(_LEFT + _GAP * len(axes), 520), height, "Numbers of the best candidates", parts)


def _paired(across: Sequence[float], axes: Sequence[int]) -> list[tuple[float, int]]:
    return list(zip(across, axes, strict=True))


def _shade(worth: float) -> str:
    """From a light grey for the worst to a strong blue for the best."""
    red, green, blue = (round(229 + worth**2 * (end - 229)) for end in _GOOD)
    return f"#{red:02x}{green:02x}{blue:02x}"
