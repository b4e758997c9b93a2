"""An item of a task as text: its fields, the prompt as the model gets it, and the correct answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from textual.content import Content

from evomerge_tui.text.shown_text import many_lines, one_line
from evomerge_tui.widgets.thumbnail import Thumbnail, read_thumbnail


def preview_text(preview: Mapping[str, Any] | str | None, item: int) -> tuple[Content, Content]:
    """A line on all items, and one item in full. A text instead of a preview is why there is none, "" while it is read."""
    if preview is None:
        return Content(), Content.styled("Add a task to see its items here.", "$text-muted")
    if isinstance(preview, str):
        return Content("Can't be shown" if preview else "Reading …"), Content.styled(many_lines(preview), "$error")
    items = preview["items"]
    total = f" of {preview['total']}" if preview["total"] is not None else ""
    tokens = f" · {preview['tokens']:.0f} prompt tokens" if preview["tokens"] else ""
    head = f"item {item + 1}{total} · {preview['scorer']}{tokens}" if items else "no items"
    parts = [Content.styled(f"! {many_lines(preview['problem'])}", "$warning")] if preview["problem"] else []
    parts += [Content.styled(many_lines("\n".join(preview["notes"])), "$text-muted")] if preview["notes"] else []
    parts += list(_item(items[min(item, len(items) - 1)])) if items else []
    return Content(head), Content("\n\n").join(parts)


def preview_pictures(preview: Mapping[str, Any] | str | None, item: int) -> list[Thumbnail]:
    """The pictures of an item that is shown."""
    items = preview["items"] if isinstance(preview, Mapping) else []
    return [read_thumbnail(facts) for facts in items[min(item, len(items) - 1)]["pictures"]] if items else []


def _item(item: Mapping[str, Any]) -> Iterator[Content]:
    yield _part("What the model reads", item["prompt"])
    if item["choices"]:
        yield _part("Choices", "\n".join(_choice(text, place == item["right"]) for place, text in enumerate(item["choices"])))
    if item["gold"]:
        yield _part("Correct answer (its likelihood breaks ties)", item["gold"])
    yield Content("\n").join([Content.styled("Fields", "bold"), *(_field(*field) for field in item["fields"].items())])


def _field(name: str, value: Any) -> Content:
    shown = value if isinstance(value, str) else " | ".join(value)
    return Content.assemble((f"{one_line(name, 40)}: ", "$text-muted"), one_line(shown, 1000))


def _choice(text: str, right: bool) -> str:
    return f"{'✓' if right else ' '} {text}"


def _part(title: str, text: str) -> Content:
    return Content.assemble((f"{title}\n", "bold"), many_lines(text).rstrip())
