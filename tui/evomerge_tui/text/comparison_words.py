"""A comparison of runs in words, for the command and for the screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from evomerge_tui.text.quantities import percent, percent_range
from evomerge_tui.text.run_states import shown_state
from evomerge_tui.text.shown_text import one_line

if TYPE_CHECKING:
    from evomerge_core.run.comparison import ComparedRun, Comparison, PairedWinners

# Columns of scores, and how wide each is.
_STEPS, _LEAST_STEPS, _CELL = 6, 2, 8
_LONGEST = 40


def run_name(comparison: Comparison, place: int) -> str:
    """A run as texts call it: its place among the runs, which names don't tell apart, and its name."""
    return f"{place + 1} {one_line(comparison.runs[place].name, _LONGEST)}"


def verdict_rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    """Place, name, state, candidates, minutes, winner, test score and interval of each run."""
    for number, run in enumerate(comparison.runs, 1):
        test = "" if run.test is None else f"{percent(run.test)} {f'of {run.items}' if run.items else 'by votes'}"
        interval = "" if run.interval is None else percent_range(*run.interval, decimals=1)
        cells = (str(run.evaluations), f"{run.seconds / 60:.1f}", one_line(run.winner or "none yet", _LONGEST), test, interval)
        yield (str(number), one_line(run.name, _LONGEST), shown_state(run.state)[1], *cells)


def bars(comparison: Comparison, width: int) -> Iterator[str]:
    """What was known of each run's best candidate after each sixth of the longest search, or fewer parts where lines of
    `width` cells hold no more."""
    names = [run_name(comparison, place) for place in range(len(comparison.runs))]
    wide = max(_CELL, min(max(map(cell_len, names)), width - 1 - _LEAST_STEPS * _CELL))
    steps = max(_LEAST_STEPS, min(_STEPS, (width - 1 - wide) // _CELL))
    most = max(run.evaluations for run in comparison.runs)
    numbers = sorted({max(1, round(most * step / steps)) for step in range(1, steps + 1)}) if most else []
    yield f"{'':{wide}} {''.join(f'{number:>{_CELL}}' for number in numbers)}"
    for name, run in zip(names, comparison.runs, strict=True):
        cells = (f"{percent(_known(run, number)) if number <= run.evaluations else '':>{_CELL}}" for number in numbers)
        yield f"{set_cell_size(name, wide)} {''.join(cells)}"


def _known(run: ComparedRun, number: int) -> float | None:
    return next((value for at, value in reversed(run.curve) if at <= number), None)


def pairs(comparison: Comparison) -> Iterator[str]:
    """A line for each pair of winners, and for each pair that can't be compared."""
    for test in comparison.winners:
        yield _pair(comparison, test)
    for first, second in comparison.unpaired:
        names = f"The winners of {run_name(comparison, first)} and {run_name(comparison, second)}"
        yield f"{names} can't be compared: no item was in the tests of both, scored alike and in one precision."
    if not comparison.winners and not comparison.unpaired:
        yield "No two of the runs have winners yet."


def _pair(comparison: Comparison, test: PairedWinners) -> str:
    first, second = run_name(comparison, test.first), run_name(comparison, test.second)
    figures = f"{first} wins {test.wins} items and loses {test.losses}, p = {test.p:.2g}"
    sure = test.p < 0.05
    better, worse = (first, second) if test.wins > test.losses else (second, first)
    said = f"the winner of {better} beats that of {worse}" if sure else f"no difference is shown between {first} and {second}"
    return f"On {test.items} items that both tests asked, in {test.precision}: {said} ({figures})."
