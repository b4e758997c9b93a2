"""A plot of lines in the theme's colours, drawn anew when its size or the theme changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import BindingType
from textual.color import Color
from textual_hires_canvas import HiResMode
from textual_plot import PlotWidget

from evomerge_tui.keys.bindings import bindings

# In this order; what tells lines apart where there are no colours is the legend's text beside the plot.
COLOURS = ("primary", "accent", "success", "warning", "secondary", "error")


@dataclass(frozen=True)
class PlotLine:
    """Points that a line goes through, and the theme's name of its colour."""

    x: Sequence[float]
    y: Sequence[float]
    colour: str


class LinesPlot(PlotWidget, inherit_bindings=False):
    """`show` draws lines between the limits of the axes."""

    SCOPE = "plot"
    BINDINGS: ClassVar[list[BindingType]] = bindings("plot")
    _lines: Sequence[PlotLine] = ()
    _limits: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 1.0), (0.0, 1.0))

    def on_mount(self) -> None:
        super().on_mount()
        self.margin_top, self.margin_bottom, self.margin_left = 0, 1, 5
        self.app.theme_changed_signal.subscribe(self, lambda _: self._draw())

    def on_resize(self) -> None:
        self._draw()

    def show(self, lines: Sequence[PlotLine], x: tuple[float, float], y: tuple[float, float]) -> None:
        """Draws these in place of what was drawn."""
        self._lines, self._limits = lines, (x, y)
        self._draw()

    def _draw(self) -> None:
        self.clear()
        for line in self._lines:
            self.plot(list(line.x), list(line.y), line_style=self._style(line.colour), hires_mode=HiResMode.BRAILLE)
        self.set_xlimits(*self._limits[0])
        self.set_ylimits(*self._limits[1])

    def _style(self, name: str) -> str:
        """A colour of the theme as rich writes it."""
        value = self.app.theme_variables[name]
        return value.removeprefix("ansi_") if value.startswith("ansi_") else Color.parse(value).hex6
