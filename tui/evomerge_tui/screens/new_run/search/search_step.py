"""The third step: what is evolved, on how many items, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Button, Checkbox, Input, Select

from evomerge_core.errors import InputError
from evomerge_core.recipe.efforts import EFFORTS
from evomerge_core.recipe.schema import FEW_BITS
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.screens.new_run.draft import Draft, effort_of, with_effort
from evomerge_tui.screens.new_run.search.search_form import GROUPS, OWN, form_rows
from evomerge_tui.screens.new_run.step import Step
from evomerge_tui.widgets.form_row import FormRow

# Inputs and the places of their keys; the functions make numbers of what is typed.
_FIELDS: Mapping[str, tuple[tuple[str, ...], type]] = {
    "run-name": (("name",), str),
    "evaluations": (("budget", "evaluations"), int),
    "minutes": (("budget", "minutes"), float),
    "items-search": (("splits", "search"), int),
    "items-validation": (("splits", "validation"), int),
    "items-test": (("splits", "test"), int),
    "bands": (("search_space", "groups", "bands"), int),
    "population": (("search", "population"), int),
    "seed": (("seed",), int),
}


class SearchStep(Step):
    """A form; the estimate at the side follows what is typed."""

    SCOPE = "search"
    BINDINGS: ClassVar[list[BindingType]] = bindings("search")

    def __init__(self, draft: Draft) -> None:
        super().__init__(draft)
        self._methods: Mapping[str, str] = {}
        self._is_filled = False
        self._items: int | None = None

    def compose(self) -> Iterable[Widget]:
        with VerticalScroll(id="search-form", can_focus=False):
            yield from form_rows()
        with Horizontal(classes="buttons"):
            yield Button("Next: review", id="next", variant="primary")

    def on_mount(self) -> None:
        self._read_methods()

    def enter(self) -> None:
        self.query_one("#effort").focus()

    @work(exclusive=True, group="methods")
    async def _read_methods(self) -> None:
        try:
            self._methods = await self.ask("methods")
        except InputError as error:
            self.evomerge.tell(str(error), "error")
            return
        with self.prevent(Select.Changed):
            self.query_one("#method", Select).set_options([(name, name) for name in self._methods])
        self.refresh_draft()

    def know_items(self, total: int | None) -> None:
        """How many items the smallest task has: presets ask no more."""
        self._items = total
        self.refresh_draft()

    # the draft in the controls

    def refresh_draft(self) -> None:
        self._is_filled = True
        draft = self.draft
        with self.prevent(Select.Changed, Input.Changed, Checkbox.Changed):
            self.query_one("#effort", Select).value = effort_of(draft, self._items) or OWN
            for name, (place, _) in _FIELDS.items():
                self._set(name, draft.get(*place))
            self._show_space(draft)
            self.query_one("#precision", Select).value = draft.get("evaluation", "precision", default="auto")
            self.query_one("#device", Select).value = draft.get("evaluation", "device", default="auto")
            self.query_one("#confirm", Checkbox).value = "bf16" in (draft.get("evaluation", "confirm") or ())
        effort = effort_of(draft, self._items)
        hint = EFFORTS[effort].text if effort else "your own settings below"
        self.query_one("#effort-row", FormRow).set_hint(hint)

    def _show_space(self, draft: Draft) -> None:
        method, select = method_of(draft), self.query_one("#method", Select)
        if method in (self._methods or {"task_arithmetic": ""}):
            select.value = method
        groups = groups_of(draft)
        self.query_one("#groups", Select).value = groups
        self.query_one("#bands-row").display = groups == "bands"
        staged = draft.get("stages") is not None or draft.get("paths") is not None
        for name in ("#method", "#groups"):
            self.query_one(name).disabled = staged
        hint = "this recipe searches in stages: change them in its file" if staged else self._methods.get(method, "")
        self.query_one("#method-row", FormRow).set_hint(hint)

    def _set(self, name: str, value: Any) -> None:
        text = "" if value is None or isinstance(value, Mapping) else f"{value:g}" if isinstance(value, float) else str(value)
        field = self.query_one(f"#{name}", Input)
        shown = _number(field.value, _FIELDS[name][1])
        if shown != value or (value is None and field.value):
            field.value = text

    # what a person does

    @on(Select.Changed)
    def _chose(self, event: Select.Changed) -> None:
        event.stop()
        # controls post messages when they are made, before they show the draft
        if self._is_filled:
            # what was chosen: the control may show an older draft again by the time that the message arrives
            value = str(event.value)
            {
                "effort": self._choose_effort,
                "method": self._choose_method,
                "groups": self._choose_groups,
                "precision": self._choose_precision,
                "device": self._choose_device,
            }[str(event.select.id)](value)

    def _choose_effort(self, effort: str) -> None:
        if effort not in (OWN, effort_of(self.draft, self._items)):
            self.edit(with_effort(self.draft, EFFORTS[effort], self._items))
            self.refresh_draft()

    def _choose_method(self, method: str) -> None:
        if method != method_of(self.draft):
            self._new_space(method=method)

    def _choose_groups(self, groups: str) -> None:
        if groups != groups_of(self.draft):
            self._new_space(groups={"bands": 4} if groups == "bands" else groups)

    def _choose_precision(self, precision: str) -> None:
        if precision != self.draft.get("evaluation", "precision", default="auto"):
            draft = self.draft.put(precision, "evaluation", "precision")
            draft = draft if precision in ("auto", *FEW_BITS) else draft.put(None, "evaluation", "agreement")
            confirm = [other for other in draft.get("evaluation", "confirm") or () if other != precision]
            self.edit(draft.put(confirm or None, "evaluation", "confirm"))
            self.refresh_draft()

    def _choose_device(self, device: str) -> None:
        if device != self.draft.get("evaluation", "device", default="auto"):
            self.edit(self.draft.put(device, "evaluation", "device"))
            self.refresh_draft()

    def _new_space(self, **changes: Any) -> None:
        """Another method has other parameters: what the old one had is left to the preset."""
        space = dict(self.draft.get("search_space") or {})
        if "method" in changes:
            space = {key: value for key, value in space.items() if key not in ("parameters", "fixed")}
            space.setdefault("groups", "whole" if space.get("preset") == "paper" else "auto")
        self.edit(self.draft.put({**space, **changes}, "search_space"))
        self.refresh_draft()

    @on(Checkbox.Changed, "#confirm")
    def _ticked_confirm(self, event: Checkbox.Changed) -> None:
        event.stop()
        known = self.draft.get("evaluation", "confirm") or ()
        scored_in = self.draft.get("evaluation", "precision", default="auto")
        if not self._is_filled or event.value == ("bf16" in known) or scored_in == "bf16":
            return
        others = [other for other in known if other != "bf16"]
        confirm = [*others, "bf16"] if event.value else others
        self.edit(self.draft.put(confirm or None, "evaluation", "confirm"))
        self.refresh_draft()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        name = str(event.input.id)
        if name not in _FIELDS:
            return
        place, kind = _FIELDS[name]
        if name == "bands" and groups_of(self.draft) != "bands":
            return
        value = _number(event.value, kind)
        if event.value.strip() and value is None:
            return
        if value != self.draft.get(*place):
            self.edit(self.draft.put(value, *place))
            self.refresh_draft()


def method_of(draft: Draft) -> str:
    """The merge method, the preset's where the recipe names none."""
    space = draft.get("search_space") or {}
    return str(space.get("method") or ("dare_ties" if space.get("preset") == "paper" else "task_arithmetic"))


def groups_of(draft: Draft) -> str:
    """The word for a recipe's groups that the form has; `bands` for all that no word says."""
    space = draft.get("search_space") or {}
    groups = space.get("groups", "whole" if space.get("preset") == "paper" else "auto")
    if isinstance(groups, str):
        return groups if groups in GROUPS else "auto"
    same = {
        "whole": ({}, {"bands": 1}),
        "parts": ({"parts": True},),
        "layers": ({"band_layers": 1},),
        "auto": ({"bands": "auto"},),
    }
    return next((word for word, meant in same.items() if dict(groups) in meant), "bands")


def _number(text: str, kind: type) -> Any:
    """What was typed, as its key wants it; None when it is nothing, or no such number."""
    try:
        return kind(text.strip()) if text.strip() else None
    except ValueError:
        return None
