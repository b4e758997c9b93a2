"""How the next token is chosen, and the system message."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Input, Select, Static

from evomerge_core.errors import InputError
from evomerge_quant.chat.sampling import PRESETS, Sampling
from evomerge_tui.screens.page import Dialog
from evomerge_tui.widgets.form_row import FormRow

_HINTS = {
    "temperature": "0: always the likeliest token",
    "top_p": "likeliest tokens up to this share; 1: off",
    "top_k": "only the K likeliest tokens; 0: off",
    "min_p": "least share of the likeliest; 0: off",
    "repeat_penalty": "above 1: recent tokens less likely",
    "max_tokens": "longest answer, in tokens",
    "seed": "repeats answers; empty: random",
}
_WHOLE = ("top_k", "max_tokens", "seed")


class SamplingDialog(Dialog["tuple[Sampling, str | None] | None"]):
    """The settings and the system message; None to change nothing. A preset fills the settings in."""

    AUTO_FOCUS = "#value-temperature"

    def __init__(self, sampling: Sampling, system: str | None) -> None:
        super().__init__()
        self._sampling, self._system = sampling, system

    def compose(self) -> Iterable[Widget]:
        with Vertical(classes="box", id="sampling"):
            yield Static("How the next token is chosen", classes="question", markup=False)
            presets = Select([(name, name) for name in PRESETS], id="preset", prompt="as below", compact=True)
            yield FormRow("preset", presets, "precise, balanced or creative")
            for name, value in asdict(self._sampling).items():
                yield FormRow(name.replace("_", " "), Input(_written(name, value), id=f"value-{name}"), _HINTS[name])
            yield FormRow("system", Input(self._system or "", id="system"), "a change starts a new conversation")
            yield Static("", id="problem", classes="detail", markup=False)
            with Horizontal(classes="choices"):
                yield Button("Cancel", id="cancel")
                yield Button("Use", id="use", variant="primary")

    @on(Select.Changed, "#preset")
    def _fill_in(self, event: Select.Changed) -> None:
        for name, value in PRESETS.get(str(event.value), {}).items():
            self.query_one(f"#value-{name}", Input).value = _written(name, value)

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    @on(Input.Submitted)
    @on(Button.Pressed, "#use")
    def _use(self) -> None:
        try:
            values = {name: self._value(name) for name in asdict(self._sampling)}
            sampling = Sampling(**values)  # type: ignore[arg-type]
        except InputError as error:
            self.query_one("#problem", Static).update(str(error))
            return
        self.dismiss((sampling, self.query_one("#system", Input).value.strip() or None))

    def _value(self, name: str) -> float | None:
        text = self.query_one(f"#value-{name}", Input).value.strip()
        if not text and name == "seed":
            return None
        try:
            return int(text) if name in _WHOLE else float(text)
        except ValueError:
            raise InputError(
                f"{name.replace('_', ' ')}: {text!r} is not a {'whole ' if name in _WHOLE else ''}number"
            ) from None


def _written(name: str, value: float | None) -> str:
    return "" if value is None else str(value) if name in _WHOLE else f"{value:g}"
