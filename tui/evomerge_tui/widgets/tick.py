"""A box to tick whose sign, not its colour, says whether it is ticked."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Checkbox


class Tick(Checkbox):
    """`[x] label` or `[ ] label`; Textual's own shows an X either way, in another colour."""

    @property
    def _button(self) -> Content:
        return Content.assemble(("[x]" if self.value else "[ ]", "$primary" if self.value else "$text-muted"))
