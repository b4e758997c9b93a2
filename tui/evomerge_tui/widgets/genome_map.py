"""A genome as a heat map: groups of tensors down, sources across, one block a parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from textual.color import Color
from textual.content import Content
from textual.style import Style
from textual.widgets import Static

from evomerge_tui.text.shown_text import many_lines, one_line

_BARS = " ▁▂▃▄▅▆▇█"
_CELL = 8


class GenomeMap(Static):
    """Every number is written out; its ground, or a bar where there are no colours, says the same again at a glance."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self._genome: Sequence[float] = ()
        self._dimensions: Sequence[Mapping[str, Any]] = ()

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _: self._draw())

    def show(self, genome: Sequence[float], dimensions: Sequence[Mapping[str, Any]]) -> None:
        """Draws a genome; `dimensions` are the run's: parameter, source, group, low, high of each number."""
        self._genome, self._dimensions = genome, dimensions
        self._draw()

    def show_path(self, text: str) -> None:
        """Draws a path through the layers of models: A and B are models, the numbers their layers."""
        self._genome, self._dimensions = (), ()
        self.update(Content(many_lines(text)))

    def _draw(self) -> None:
        if len(self._dimensions) != len(self._genome):
            self.update(Content.styled("A path through layers: open the candidate to see it", "$text-muted"))
            return
        numbers = list(zip(self._dimensions, self._genome, strict=True))
        parameters = dict.fromkeys(str(dimension["parameter"]) for dimension in self._dimensions)
        blocks = [self._block(name, [(d, v) for d, v in numbers if d["parameter"] == name]) for name in parameters]
        self.update(Content("\n\n").join(blocks))

    def _block(self, parameter: str, numbers: Sequence[tuple[Mapping[str, Any], float]]) -> Content:
        """One parameter's numbers. A row a group, a column a source."""
        sources = list(dict.fromkeys(str(dimension["source"] or "all") for dimension, _ in numbers))
        groups = list(dict.fromkeys(str(dimension["group"]) for dimension, _ in numbers))
        values = {
            (str(dimension["group"]), str(dimension["source"] or "all")): (dimension, value) for dimension, value in numbers
        }
        wide = max(len(parameter), *(cell_len(one_line(group)) for group in groups))
        widths = [max(_CELL, min(14, cell_len(one_line(source)))) for source in sources]
        heads = (one_line(source, width).rjust(width) for source, width in zip(sources, widths, strict=True))
        lines = [Content.styled(f"{parameter:<{wide}}  " + " ".join(heads), "$text-muted")]
        for group in groups:
            cells = [self._cell(values.get((group, source)), width) for source, width in zip(sources, widths, strict=True)]
            lines.append(Content.assemble(Content(f"{one_line(group):<{wide}}  "), Content(" ").join(cells)))
        return Content("\n").join(lines)

    def _cell(self, found: tuple[Mapping[str, Any], float] | None, width: int) -> Content:
        if found is None:
            return Content(" " * width)
        dimension, value = found
        low, high = float(dimension["low"]), float(dimension["high"])
        share = min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.0
        ground = self._ground(share)
        # without colours a bar shows at a glance what the number says
        bar = "" if ground is not None else f"{_BARS[round(share * 8)]} "
        text = f"{bar}{value:.2f}".rjust(width - 1) + " "
        return Content(text) if ground is None else Content.styled(text, Style(ground, ground.get_contrast_text(0.95)))

    def _ground(self, share: float) -> Color | None:
        """The cell's colour; None where the terminal's own colours are used, or none at all."""
        low, high = (Color.parse(self.app.theme_variables[name]) for name in ("heat-low", "heat-high"))
        return None if low.ansi is not None or self.app.no_color else low.blend(high, 0.08 + 0.72 * share, 1.0)
