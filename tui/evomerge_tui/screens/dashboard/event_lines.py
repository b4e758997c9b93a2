"""What a job said, as lines of a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from evomerge_core.run.view.feed import Event
from evomerge_tui.text.quantities import percent
from evomerge_tui.text.shown_text import one_line


def event_line(event: Event, labels: Mapping[int, str]) -> str:
    """One event: local time and what happened; `labels` names candidates by their ids."""
    say = _SAID.get(event.kind)
    text = say(event.data, labels) if say else f"{event.kind} {event.data or ''}"
    return one_line(f"{time.strftime('%H:%M:%S', time.localtime(event.at))}  {text}")


def _evaluation(data: Mapping[str, Any], labels: Mapping[int, str]) -> str:
    name = labels.get(data["candidate"], f"candidate {data['candidate']}")
    said = f"{percent(data['score']):>7}" if data["score"] is not None else " failed"
    where = "" if data["split"] == "search" else f" · {data['split']} {data['precision']}"
    why = f" · {data['failure']}" if data["failure"] else ""
    return f"{said}  {name}{where}{why}"


def _rung(data: Mapping[str, Any], labels: Mapping[int, str]) -> str:
    name = labels.get(data["candidate"], f"candidate {data['candidate']}")
    return f" round {data['rung'] + 1}  {name}" + (f" · failed: {data['failure']}" if data["failure"] else "")


def _started(data: Mapping[str, Any], _: Mapping[int, str]) -> str:
    priority = f" at {data['priority']} priority" if "priority" in data else ""
    return f"the job has started{priority} (process {data['pid']})"


def _scored_on(data: Mapping[str, Any], _: Mapping[int, str]) -> str:
    changed = f", not on {data['before']} as before: figures may differ" if data["before"] else ""
    return f"scored on {data['device']}{changed}"


_SAID: Mapping[str, Callable[[Mapping[str, Any], Mapping[int, str]], str]] = {
    "evaluation": _evaluation,
    "phase": lambda data, _: f"{data['name']} begins" + (f": {data['total']} to do" if data.get("total") else ""),
    "rung": _rung,
    "started": _started,
    "scored_on": _scored_on,
    "stopped": lambda *_: "the job has stopped, as it was told",
    "finished": lambda *_: "the run is finished",
    "failed": lambda data, _: f"the job failed: {data['message']}",
    "command": lambda data, _: f"told to {data['name']}",
}
