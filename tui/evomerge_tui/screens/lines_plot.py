"""A plot of lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual_hires_canvas import HiResMode

from evomerge_tui.screens.themed_plot import ThemedPlot

# In this order, again and again; a sign on each line tells them apart where colours are the same or there are none.
COLOURS = ("primary", "accent", "success", "warning", "secondary", "error")


@dataclass(frozen=True)
class PlotLine:
    """Points that a line goes through, and the theme's name of its colour; a `mark` is a sign and where it stands."""

    x: Sequence[float]
    y: Sequence[float]
    colour: str
    mark: tuple[str, float, float] | None = None


class LinesPlot(ThemedPlot):
    """`show` draws lines between the limits of the axes."""

    _lines: Sequence[PlotLine] = ()
    _limits: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 1.0), (0.0, 1.0))

    def show(self, lines: Sequence[PlotLine], x: tuple[float, float], y: tuple[float, float]) -> None:
        """Draws these in place of what was drawn."""
        self._lines, self._limits = lines, (x, y)
        self.redraw()

    def redraw(self) -> None:
        self.clear()
        for line in self._lines:
            self.plot(list(line.x), list(line.y), line_style=self.theme_colour(line.colour), hires_mode=HiResMode.BRAILLE)
        for line in self._lines:
            if line.mark is not None:
                sign, x, y = line.mark
                self.scatter([x], [y], marker=sign, marker_style=f"bold {self.theme_colour(line.colour)}")
        self.set_xlimits(*self._limits[0])
        self.set_ylimits(*self._limits[1])
