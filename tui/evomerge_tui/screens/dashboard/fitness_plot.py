"""Scores over evaluations: every candidate, the spread of each generation, what is known of the best so far, the winner, and
references as lines."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from textual_hires_canvas import HiResMode

from evomerge_core.run.store.records import Outcome
from evomerge_core.run.view.estimates import Estimate
from evomerge_tui.screens.dashboard.history import History, Spread
from evomerge_tui.screens.themed_plot import ThemedPlot

# How each kind of reference is drawn, and what the legend calls it.
LINES = {
    "parent": ("secondary", "parents"),
    "uniform": ("text-muted", "uniform"),
    "mean": ("warning", "averages"),
    "founder": ("success", "founders"),
}
WINNER = "◆"
# Textual's plot writes the label of a tick that is the very end of an axis a row or column further out.
_BEYOND = 1e-6
# More would be drawn over each other, and drawing them would hold up the keys.
_MOST_POINTS = 400
_MOST_SPREADS = 40


class FitnessPlot(ThemedPlot):
    """The plot; `show` draws a history anew."""

    def show(self, history: History, total: int | None) -> None:
        """Draws a history; `total` is the number of evaluations that are planned."""
        self._history, self._total = history, total
        self.redraw()

    _history: History = History()
    _total: int | None = None

    def redraw(self) -> None:
        history = self._history
        self.clear()
        last = max(len(history.search), self._total or 0, 2)
        for outcome in history.references:
            if outcome.score is not None and outcome.kind in LINES:
                self._dots(last, outcome.score, LINES[outcome.kind][0])
        for spread in _thinned(history.spreads()):
            middle = (spread.first + spread.last) / 2
            self._line([middle, middle], [spread.low, spread.high], "spread", HiResMode.BRAILLE)
        self._points(history)
        self._best(history)
        self.set_xlimits(1 - _BEYOND, last + _BEYOND)
        low, high = _limits(history)
        self.set_ylimits(low - _BEYOND, high + _BEYOND)
        self.set_yticks(_ticks(low, high, self.size.height))

    def _best(self, history: History) -> None:
        """What is known of the best so far, moved by luck as little as can be; and the winner."""
        known = [(number, history.of_search(best)) for number, best in history.bests]
        steps = [(number, estimate.value) for number, estimate in known if estimate is not None]
        if steps:
            numbers, scores = zip(*steps, strict=True)
            corners = [*np.repeat(numbers, 2)[1:], len(history.search)]
            self._line(corners, np.repeat(scores, 2), "accent", HiResMode.BRAILLE)
        for number, outcome in enumerate(history.search, start=1):
            if (estimate := _of_winner(history, outcome)) is not None:
                self.scatter([number], [100 * estimate.value], marker=WINNER, marker_style=self.theme_colour("accent"))

    def _line(self, x: ArrayLike, y: ArrayLike, color: str, mode: HiResMode) -> None:
        self.plot(x, 100 * np.asarray(y, dtype=float), line_style=self.theme_colour(color), hires_mode=mode)

    def _dots(self, last: int, score: float, color: str) -> None:
        """A dotted line across: unlike the line of the best by its gaps where there are no colours."""
        x = np.linspace(1, last, max(2, (self.size.width - self.margin_left) // 2))
        self.scatter(x, np.full(len(x), 100 * score), marker_style=self.theme_colour(color), hires_mode=HiResMode.BRAILLE)

    def _points(self, history: History) -> None:
        first = max(0, len(history.search) - _MOST_POINTS)
        recent = enumerate(history.search[first:], start=first + 1)
        kept = [(number, outcome.score) for number, outcome in recent if outcome.score is not None]
        if kept:
            x, y = np.array(kept, dtype=float).T
            self.scatter(x, 100 * y, marker="•", marker_style=self.theme_colour("primary"))


def _thinned(spreads: list[Spread]) -> list[Spread]:
    """At most so many that they can be told apart; neighbours become one."""
    step = -(-len(spreads) // _MOST_SPREADS) or 1
    return [_joined(spreads[at : at + step]) for at in range(0, len(spreads), step)]


def _joined(spreads: list[Spread]) -> Spread:
    middles = sorted(spread.middle for spread in spreads)
    return Spread(
        spreads[0].first,
        spreads[-1].last,
        min(spread.low for spread in spreads),
        middles[len(middles) // 2],
        max(spread.high for spread in spreads),
    )


def _limits(history: History) -> tuple[float, float]:
    """Percent, from a round number below all scores to one above."""
    scores = [outcome.score for outcome in history.all if outcome.score is not None]
    if not scores:
        return 0.0, 100.0
    scores += [estimate.value for outcome in history.all if (estimate := _of_winner(history, outcome)) is not None]
    low, high = 100 * min(scores), 100 * max(scores)
    room = max(5.0, 0.08 * (high - low))
    return max(0.0, 5 * np.floor((low - room) / 5)), min(100.0, 5 * np.ceil((high + room) / 5))


def _of_winner(history: History, outcome: Outcome) -> Estimate | None:
    return history.estimate(outcome) if outcome.candidate == history.winner else None


def _ticks(low: float, high: float, height: int) -> list[float]:
    """Round percentages, far enough apart to be read."""
    step = next((step for step in (5, 10, 20, 25) if (high - low) / step <= max(2, (height - 3) / 2)), 50)
    return [float(tick) for tick in range(0, 101, step) if low <= tick <= high]
