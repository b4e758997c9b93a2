"""Where a message is written: enter sends it, ctrl+j begins a new line."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.widgets import TextArea


class Composer(TextArea):
    """A text area that sends. No key is needed that some terminals don't have."""

    @dataclass
    class Sent(Message):
        """A message that isn't empty."""

        text: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(
            id=id, soft_wrap=True, show_line_numbers=False, compact=True, placeholder="Write a message; enter sends it"
        )

    async def _on_key(self, event: events.Key) -> None:
        if event.key in ("enter", "ctrl+j", "shift+enter"):
            event.stop()
            event.prevent_default()
            if event.key == "enter":
                self.action_send()
            else:
                self.insert("\n")
            return
        await super()._on_key(event)

    def action_send(self) -> None:
        """Sends what is written."""
        if self.text.strip():
            self.post_message(self.Sent(self.text.strip()))
