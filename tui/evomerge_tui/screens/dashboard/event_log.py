"""The log of what a job did; its end stays in sight while lines come and the room for it changes."""

from __future__ import annotations

from textual.widgets import Log


class EventLog(Log):
    """Textual's log keeps to its end when a line comes, but not when the widgets above it grow."""

    def on_resize(self) -> None:
        if self.auto_scroll:
            self.scroll_end(animate=False, immediate=True, x_axis=False)
