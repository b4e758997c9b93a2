"""The form for one task. What is left empty comes from the ready definition, or is the default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from textual import on
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Checkbox, Input, Select, TextArea

from evomerge_core.tasks.scorers.registry import scorer_names
from evomerge_tui.widgets.form_row import FormRow, Tick

_NUMBERS = {"weight": float, "max_new_tokens": int}
_LEFT_OUT = "as in the ready task"
_ANSWERS = (
    ("a choice's text", "text"),
    ("a letter, A the first", "letter"),
    ("an index from 0", "index_from_0"),
    ("an index from 1", "index_from_1"),
)


@dataclass
class TaskEdited(Message):
    """The task with what was typed."""

    task: dict[str, Any]


class TaskForm(VerticalScroll, can_focus=False):
    """Controls for the keys that a person sets; keys without a control stay as they are."""

    def __init__(self) -> None:
        super().__init__(id="task-form")
        self._shown_task: dict[str, Any] | None = None

    def compose(self) -> Iterable[Widget]:
        yield FormRow("Name", Input(id="task-name"), "shown in the results")
        yield FormRow("Items", Input(id="task-file", placeholder="none: the ready task's dataset"), "JSONL, CSV, Parquet, …")
        yield FormRow("Question", Input(id="field-question"), "column name, or 0, 1, 2 …")
        yield FormRow("Answer", Input(id="field-answer"), "column name, or 0, 1, 2 …")
        yield FormRow("Choices", Input(id="field-choices", placeholder="none: the answer is written"), "a column, or A, B, C")
        yield FormRow(
            "Answers are",
            Select(_ANSWERS, id="task-answer_is", prompt="whatever fits the file", compact=True),
            "with choices only",
        )
        yield FormRow(
            "Prompt",
            TextArea(id="task-prompt", compact=True, soft_wrap=True),
            "{question} and other fields in braces",
            below=True,
        )
        yield FormRow("Chat template", Tick("use the model's own", id="task-chat", compact=True), "")
        options = [(name, name) for name in scorer_names()]
        yield FormRow("Scorer", Select(options, id="task-scorer", prompt=_LEFT_OUT, compact=True), "how answers are scored")
        yield FormRow(
            "Language",
            Input(id="task-language", placeholder="any", classes="-short"),
            "a code such as ja; others score 0",
        )
        yield FormRow("Weight", Input(id="task-weight", type="number", classes="-short"), "share of the total score")
        yield FormRow(
            "Max tokens", Input(id="task-max_new_tokens", type="integer", classes="-short"), "longer answers are cut off"
        )

    def focus_first(self) -> None:
        self.query_one("#task-name").focus()

    def show(self, task: Mapping[str, Any] | None) -> None:
        """Shows a task without posting a message."""
        self.display = task is not None
        if task is None or dict(task) == self._shown_task:
            self._shown_task = None if task is None else dict(task)
            return
        self._shown_task = dict(task)
        with self.prevent(Input.Changed, TextArea.Changed, Select.Changed, Checkbox.Changed):
            for key in ("name", "file", "language", "weight", "max_new_tokens"):
                self._set(f"#task-{key}", task.get(key))
            for field in ("question", "answer", "choices"):
                self._set(f"#field-{field}", _written((task.get("fields") or {}).get(field)))
            prompt = self.query_one("#task-prompt", TextArea)
            if prompt.text != (task.get("prompt") or ""):
                prompt.load_text(task.get("prompt") or "")
            self.query_one("#task-chat", Checkbox).value = task.get("chat") is not False
            for key in ("scorer", "answer_is"):
                self.query_one(f"#task-{key}", Select).value = task.get(key) or Select.NULL

    def _set(self, place: str, value: Any) -> None:
        text = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        field = self.query_one(place, Input)
        if field.value != text:
            field.value = text

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        name, text = str(event.input.id), event.value.strip()
        if name.startswith("field-"):
            self._field(name.removeprefix("field-"), text)
            return
        key = name.removeprefix("task-")
        value: Any = text or None
        if key in _NUMBERS and text:
            try:
                value = _NUMBERS[key](text)
            except ValueError:
                return
        self._take(key, value)

    @on(TextArea.Changed)
    def _wrote(self, event: TextArea.Changed) -> None:
        event.stop()
        self._take("prompt", event.text_area.text or None)

    @on(Select.Changed)
    def _chose(self, event: Select.Changed) -> None:
        event.stop()
        self._take(str(event.select.id).removeprefix("task-"), None if event.value is Select.NULL else event.value)

    @on(Checkbox.Changed)
    def _ticked(self, event: Checkbox.Changed) -> None:
        event.stop()
        self._take("chat", None if event.value else False)

    def _field(self, name: str, text: str) -> None:
        fields = {**((self._shown_task or {}).get("fields") or {})}
        if text:
            fields[name] = _columns(text) if name == "choices" else _column(text)
        else:
            fields.pop(name, None)
        self._take("fields", fields or None)
        if name == "choices":
            self._take("choices", name if text else None)

    def _take(self, key: str, value: Any) -> None:
        if self._shown_task is None or self._shown_task.get(key) == value:
            return
        task = {name: old for name, old in self._shown_task.items() if name != key}
        if value is not None:
            # a key that was there keeps its place
            task = {**self._shown_task, key: value}
        self._shown_task = task
        self.post_message(TaskEdited(dict(task)))


def _columns(text: str) -> Any:
    """A column, or the list of several that commas stand between."""
    columns = [_column(part.strip()) for part in text.split(",") if part.strip()]
    return columns if len(columns) > 1 else _column(text)


def _column(text: str) -> Any:
    return int(text) if text.isdecimal() else text


def _written(columns: Any) -> Any:
    return ", ".join(map(str, columns)) if isinstance(columns, list | tuple) else columns
