"""The keys at the bottom of a screen."""

from __future__ import annotations

from collections.abc import Iterable

from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer
from textual.widgets._footer import FooterKey


class KeyLine(Footer):
    """Textual's footer, which shows nothing until its app has the focus: a browser's tab or a terminal may not have it yet.
    Where not all keys have room, the one that lists them all (`-help`) keeps its place at the right."""

    def compose(self) -> Iterable[Widget]:
        for key in super().compose():
            if isinstance(key, FooterKey) and key.action == "app.help":
                key.add_class("-help")
            yield key

    def bindings_changed(self, screen: Screen[object]) -> None:
        super().bindings_changed(screen)
        if not screen.app.app_focus and self.is_attached and screen is self.screen:
            self.call_after_refresh(self.recompose)
