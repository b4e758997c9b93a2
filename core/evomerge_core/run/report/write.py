"""A report's files: `report.json`, `report.md`, and a picture for each plot."""

from __future__ import annotations

import json
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.run.report.content import Report
from evomerge_core.run.report.markdown import to_markdown
from evomerge_core.run.report.plots import fitness_plot, genome_plot, parents_plot


def write_report(report: Report, folder: Path) -> tuple[Path, ...]:
    """Writes the report into a folder, over an earlier one; the files, Markdown first. InputError when it can't be written."""
    made = {
        "Held-out test": ("parents.svg", parents_plot(report)),
        "Scores of the search": ("fitness.svg", fitness_plot(report)),
        "Genomes": ("genomes.svg", genome_plot(report)),
    }
    pictures = {title: (name, text) for title, (name, text) in made.items() if text is not None}
    texts = {
        "report.md": to_markdown(report, {title: name for title, (name, _) in pictures.items()}),
        "report.json": json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n",
        **dict(pictures.values()),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        problem = f"the report can't be written ({error.strerror})"
        raise InputError(problem, where=folder, remedy="name another folder with --out") from error
    return tuple(folder / name for name in texts)
