"""How long candidates took in past runs on this machine: one JSON line per run, in a small file."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evomerge_core.paths.space import PathSpace
from evomerge_core.run.setup import Setup
from evomerge_core.run.store.store import Store
from evomerge_core.sources.pretrained import read_tokenizer

# Older runs say little about a machine that has changed since.
_KEPT = 200


@dataclass(frozen=True)
class Timing:
    """A run's median candidate: `seconds` for merging and scoring `items` items on `device` (its name).

    `prompt_tokens` (prompt and gold answer) and `answer_tokens` are means of an item, `tasks` the tasks' names.
    """

    device: str
    parameters: int
    precision: str
    sources: int
    tasks: tuple[str, ...]
    items: int
    prompt_tokens: float
    answer_tokens: float
    seconds: float


def timing_of(setup: Setup, store: Store, device: str) -> Timing | None:
    """What a run's search took; None when it scored no candidate, or children deeper or shallower than the base."""
    searched = [(c, e) for c, e in store.scored("search", setup.plan.precision) if c.kind == "search" and e.failure is None]
    if not searched or any(isinstance(stage.space, PathSpace) for stage in setup.stages):
        return None
    base = setup.sources[setup.recipe.base]
    # in a race not all candidates are asked all items
    items = [len(store.item_scores(c.id, "search", setup.plan.precision)) for c, _ in searched]
    return Timing(
        device=device,
        parameters=count_parameters({name: base.shape(name) for name in base.names}),
        precision=setup.plan.precision,
        sources=len(setup.parents),
        tasks=tuple(task.name for task in setup.plan.tasks),
        items=round(statistics.median(items)),
        prompt_tokens=_prompt_tokens(setup),
        answer_tokens=sum(e.tokens for _, e in searched) / max(1, sum(items)),
        seconds=statistics.median(e.seconds for _, e in searched),
    )


def count_parameters(shapes: dict[str, tuple[int, ...]]) -> int:
    """The number of weights of tensors."""
    return sum(math.prod(shape) for shape in shapes.values())


def remember(timing: Timing, file: Path) -> None:
    """Adds a run to the file. A file that can't be written is ignored: estimates then follow the rule."""
    lines = [*_lines(file), json.dumps(asdict(timing), ensure_ascii=False)][-_KEPT:]
    part = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
        part.replace(file)
    except OSError:
        return


def read_timings(file: Path) -> tuple[Timing, ...]:
    """Past runs, oldest first; lines that another version wrote are skipped."""
    found = (_timing(line) for line in _lines(file))
    return tuple(timing for timing in found if timing is not None)


def _lines(file: Path) -> Sequence[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ()


def _timing(line: str) -> Timing | None:
    try:
        fields: dict[str, Any] = json.loads(line)
        timing = Timing(**{**fields, "tasks": tuple(fields["tasks"])})
    except (ValueError, TypeError, KeyError):
        return None
    return timing if timing.seconds > 0 and timing.items > 0 else None


def _prompt_tokens(setup: Setup) -> float:
    tokenizer = read_tokenizer(setup.speaks.folder)
    asked = setup.plan.asked["search"]
    return statistics.mean(question_tokens(asked_item.question, tokenizer) for asked_item in asked)


def question_tokens(question: Any, tokenizer: Any) -> int:
    """Tokens that the model reads for a question: prompt, gold answer and choices."""
    texts = (question.prompt, question.gold, *question.choices)
    return sum(len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts if text)
