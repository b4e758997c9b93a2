"""A plot in the theme's colours, drawn anew when its size or the theme changes, whose points lie where its axes say."""

from __future__ import annotations

from math import floor
from typing import ClassVar

from textual.binding import BindingType
from textual.color import Color
from textual.containers import Grid
from textual_plot import PlotWidget
from textual_plot.plot_widget import FloatScalar

from evomerge_tui.keys.bindings import bindings


class ThemedPlot(PlotWidget, inherit_bindings=False):
    """A subclass draws in `redraw`, in colours that `theme_colour` gives."""

    SCOPE = "plot"
    BINDINGS: ClassVar[list[BindingType]] = bindings("plot")

    def redraw(self) -> None:
        """Draws everything anew."""
        raise NotImplementedError

    def theme_colour(self, name: str) -> str:
        """A colour of the theme as rich writes it."""
        value = self.app.theme_variables[name]
        return value.removeprefix("ansi_") if value.startswith("ansi_") else Color.parse(value).hex6

    def on_mount(self) -> None:
        super().on_mount()
        self.margin_top, self.margin_bottom, self.margin_left = 0, 1, 5
        self.app.theme_changed_signal.subscribe(self, lambda _: self.redraw())

    def on_resize(self) -> None:
        self.redraw()

    def _update_margin_sizes(self) -> None:
        # a screen that is left at once is mounted without its contents, which the base class takes to be there
        if self.query(Grid):
            super()._update_margin_sizes()

    def clear(self) -> None:
        """Removes what is drawn."""
        if self.query(Grid):
            super().clear()

    # where a value lies: the middles of the first and last row and column are the ends of the axes, so that a point is in the
    # row of the label that says its value

    def get_pixel_from_coordinate(self, x: FloatScalar, y: FloatScalar) -> tuple[int, int]:
        across, down = self.get_hires_pixel_from_coordinate(x, y)
        return floor(across), floor(down)

    def get_hires_pixel_from_coordinate(self, x: FloatScalar, y: FloatScalar) -> tuple[float, float]:
        area = self._scale_rectangle
        across = (x - self._x_min) / (self._x_max - self._x_min) * (area.width - 1)
        down = (self._y_max - y) / (self._y_max - self._y_min) * (area.height - 1)
        return float(area.x + 0.5 + across), float(area.y + 0.5 + down)

    def get_coordinate_from_pixel(self, x: int, y: int) -> tuple[float, float]:
        area = self._scale_rectangle
        across, down = (x - area.x) / max(1, area.width - 1), (y - area.y) / max(1, area.height - 1)
        return self._x_min + across * (self._x_max - self._x_min), self._y_max - down * (self._y_max - self._y_min)
