"""A report's files: `report.json`, `report.md`, and a picture for each plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_core.files.full_disk import full_disk, is_full
from evomerge_core.run.report.archive import archive_map, coverage_plot
from evomerge_core.run.report.content import Report
from evomerge_core.run.report.markdown import to_markdown
from evomerge_core.run.report.parallel import parallel_plot
from evomerge_core.run.report.plots import fitness_plot, genome_plot, parents_plot
from evomerge_core.visible_text import visible, visible_json


def render_report(report: Report) -> dict[str, str]:
    """The texts of a report's files by name, Markdown first."""
    made = {
        "Votes" if report.by_votes else "Held-out test": ("parents.svg", parents_plot(report)),
        "Scores of the search": ("fitness.svg", fitness_plot(report)),
        "Genomes": ("genomes.svg", genome_plot(report)),
        "Numbers of the best candidates": ("parallel.svg", parallel_plot(report)),
        "Items by members": ("archive.svg", archive_map(report.archive)),
        "Coverage": ("coverage.svg", coverage_plot(report.archive)),
    }
    pictures = {title: (name, text) for title, (name, text) in made.items() if text is not None}
    markdown = to_markdown(report, {title: name for title, (name, _) in pictures.items()})
    shown = {"report.md": markdown, **dict(pictures.values())}
    return {
        # Names, messages and answers come from files and models, and a report is printed in terminals too.
        **{name: visible(text, keep="\n\t") for name, text in shown.items()},
        "report.json": visible_json(report.to_json(), indent=2) + "\n",
    }


def write_report(texts: Mapping[str, str], folder: Path) -> tuple[Path, ...]:
    """Writes a report's texts into a folder, over an earlier one; the files. InputError when they can't be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        if is_full(error):
            needed = sum(len(text.encode()) for text in texts.values())
            raise full_disk(folder, needed, then="try again, or name another folder with --out") from error
        problem = f"the report can't be written ({error.strerror})"
        raise InputError(problem, where=folder, remedy="name another folder with --out") from error
    return tuple(folder / name for name in texts)
