"""rich's console for text from data."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from evomerge_core.visible_text import visible
from evomerge_tui.terminal.guarded_output import KEPT, unguarded


class SafeConsole(Console):
    """It obeys no markup, and text in it stays text; only rich's own control sequences reach the terminal."""

    def __init__(self, *, stderr: bool = False) -> None:
        stream = unguarded(sys.stderr if stderr else sys.stdout)
        super().__init__(file=stream, highlight=False, markup=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of what is shown, their text made visible; rich's control sequences are segments of their own."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text, keep=KEPT), segment.style)
