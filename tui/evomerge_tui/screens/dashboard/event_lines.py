"""The events of a job as lines of a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from evomerge_core.run.view.expectation import expectation
from evomerge_core.run.view.feed import Event
from evomerge_core.run.view.search_end import why_ended
from evomerge_tui.text.quantities import percent
from evomerge_tui.text.shown_text import one_line

_PHASES = {
    "pool": "Choosing sources from models",
    "references": "Scoring parents and uniform merges",
    "agreement": "Comparing the search's precision with bf16",
    "search": "Searching: candidates",
    "votes": "Waiting for votes, in all",
    "judging": "Asking the judge for votes, in all",
    "validation": "Comparing the finalists with the baselines on new items",
    "test": "Testing winner and baselines on new items",
}


def event_line(event: Event, labels: Mapping[int, str]) -> str:
    """One event: local time and what happened; `labels` names candidates by their ids."""
    words = _WORDS.get(event.kind)
    text = words(event.data, labels) if words else _unknown(event)
    return one_line(f"{time.strftime('%H:%M:%S', time.localtime(event.at))}  {text}")


def _unknown(event: Event) -> str:
    """An event of another version: its kind and what it holds, in words."""
    told = ", ".join(f"{key.replace('_', ' ')} {_value(value)}" for key, value in event.data.items() if value is not None)
    kind = event.kind.replace("_", " ").capitalize()
    return f"{kind}: {told}" if told else kind


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key} {_value(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    return ("no", "yes")[value] if isinstance(value, bool) else f"{value:.4g}" if isinstance(value, float) else str(value)


def _ended(data: Mapping[str, Any], _: Mapping[int, str]) -> str:
    stage = f" of {data['stage']}" if data.get("stage") else ""
    return f"The search{stage} ended: {why_ended(str(data.get('reason')))}"


def _evaluation(data: Mapping[str, Any], labels: Mapping[int, str]) -> str:
    name = labels.get(data["candidate"], f"candidate {data['candidate']}")
    score = f"{percent(data['score']):>7}" if data["score"] is not None else " failed"
    where = "" if data["split"] == "search" else f" · {data['split']} {data['precision']}"
    why = f" · {data['failure']}" if data["failure"] else ""
    return f"{score}  {name}{where}{why}"


def _rung(data: Mapping[str, Any], labels: Mapping[int, str]) -> str:
    name = labels.get(data["candidate"], f"candidate {data['candidate']}")
    # events of earlier versions are all of the search
    where = "" if data.get("split", "search") == "search" else f" · {data['split']} {data['precision']}"
    return f"  rung {data['rung'] + 1}  {name}{where}" + (f" · failed: {data['failure']}" if data["failure"] else "")


def _chosen(data: Mapping[str, Any], labels: Mapping[int, str]) -> str:
    name = labels.get(data["candidate"], f"candidate {data['candidate']}")
    told = expectation(data)
    return f"Chosen: {name}" + (f" · {told}" if told else "")


def _started(data: Mapping[str, Any], _: Mapping[int, str]) -> str:
    priority = f" at {data['priority']} priority" if "priority" in data else ""
    return f"Job started{priority} (process {data['pid']})"


def _phase(data: Mapping[str, Any], _: Mapping[int, str]) -> str:
    name = str(data["name"])
    return _PHASES.get(name, name.capitalize()) + (f" ({data['total']})" if data.get("total") else "")


def _worker_lost(data: Mapping[str, Any], _: Mapping[int, str]) -> str:
    left = "none is left" if not data["left"] else f"the run goes on with {data['left']}"
    return f"{data['worker']} was lost: {data['reason']}; {left}"


def _scored_on(data: Mapping[str, Any], _: Mapping[int, str]) -> str:
    before = data["before"]
    # what is added after the arithmetic is no other one
    alike = not before or data["device"].startswith(f"{before}, ")
    changed = "" if alike else f", not on {before} as before: results may differ"
    return f"Scoring on {data['device']}{changed}"


_WORDS: Mapping[str, Callable[[Mapping[str, Any], Mapping[int, str]], str]] = {
    "evaluation": _evaluation,
    "phase": _phase,
    "rung": _rung,
    "chosen": _chosen,
    "started": _started,
    "scored_on": _scored_on,
    "worker_lost": _worker_lost,
    "search_ended": _ended,
    "poll": lambda data, _: f"Poll {data['name']} has ended: {data['votes']} votes so far",
    "pool": lambda data, _: f"Sources chosen: {', '.join(data['taken'])}",
    "precision": lambda data, _: f"Precision {data['text']}",
    "agreement": lambda data, _: f"Compared: {data['text']}",
    "restored": lambda data, _: str(data["text"]),
    "uncopied": lambda data, _: str(data["text"]),
    "stopped": lambda *_: "Job stopped as requested",
    "finished": lambda *_: "Run finished",
    "failed": lambda data, _: f"Job failed: {data['message']}",
    "command": lambda data, _: f"{str(data['name']).capitalize()} requested",
    "dropped": lambda data, _: f"{str(data['name']).capitalize()} was for the job before",
}
