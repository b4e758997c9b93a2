"""What is shown instead of a broken layout."""

from __future__ import annotations

from rich.text import Text
from textual.widget import Widget


class SmallNotice(Widget):
    """Says which size is needed, and which there is."""

    LEAST = (40, 20)

    def render(self) -> Text:
        width, height = self.app.size
        return Text(
            f"This terminal is {width}x{height}.\nevomerge-tui needs {self.LEAST[0]}x{self.LEAST[1]}.\nRunning jobs continue."
        )
