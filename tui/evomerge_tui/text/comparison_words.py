"""A comparison of runs in words, for the command and for the screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from evomerge_tui.text.quantities import percent, percent_range
from evomerge_tui.text.run_states import shown_state
from evomerge_tui.text.shown_text import one_line

if TYPE_CHECKING:
    from evomerge_core.run.comparison import ComparedRun, Comparison, PairedWinners

_STEPS = 6
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


def bars(comparison: Comparison) -> Iterator[str]:
    """What was known of each run's best candidate after each sixth of the longest search."""
    most = max(run.evaluations for run in comparison.runs)
    numbers = sorted({max(1, round(most * step / _STEPS)) for step in range(1, _STEPS + 1)}) if most else []
    wide = max(len(run_name(comparison, place)) for place in range(len(comparison.runs)))
    yield f"{'':{wide}} {''.join(f'{number:>8}' for number in numbers)}"
    for place, run in enumerate(comparison.runs):
        cells = (f"{percent(_known(run, number)) if number <= run.evaluations else '':>8}" for number in numbers)
        yield f"{run_name(comparison, place):{wide}} {''.join(cells)}"


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
