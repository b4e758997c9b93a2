"""A report as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from evomerge_core.run.report.archive import archive_section
from evomerge_core.run.report.content import Report, ScoredCandidate
from evomerge_core.run.report.mattered import mattered_section
from evomerge_core.run.report.pool import pool_section
from evomerge_core.run.report.words import fenced, percent, plain
from evomerge_core.run.view.expectation import expectation
from evomerge_core.run.view.result import references_of
from evomerge_core.run.view.search_end import why_ended
from evomerge_core.tasks.items.split import SPLITS


def to_markdown(report: Report, plots: Mapping[str, str]) -> str:
    """The whole report; `plots` maps titles to the files of pictures beside it."""
    bred = [] if report.archive is None else archive_section(report.archive)
    chosen = [] if report.pool is None else pool_section(report.pool)
    mattered = [] if report.mattered is None else mattered_section(report.mattered)
    parts = (
        _head(report),
        _verdict(report),
        chosen,
        bred,
        [*_plots(plots), *mattered],
        _search(report),
        _cost(report),
        _recipe(report),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def _head(report: Report) -> Iterator[str]:
    yield f"# Report of {report.run}"
    yield ""
    where = f" Scored on {report.scored_on}." if report.scored_on else ""
    yield f"State: {report.state}. Time: {report.seconds / 60:.1f} minutes. Searched in {report.precision}.{where}"
    for note in (report.precision_choice, report.agreement):
        if note is not None:
            yield from ("", f"Precision: {note}.")


def _verdict(report: Report) -> Iterator[str]:
    yield ""
    yield "## Verdict"
    yield ""
    if report.result is None:
        yield "None yet: the winner has not been scored on the held-out test."
        return
    yield from _conclusion(report.result)
    for precision, part in [(report.result["precision"], report.result), *report.result["confirmed"].items()]:
        yield f"**{precision}: {part['verdict']}.**"
        yield ""
        yield from _test_results(part)
        yield ""
    if report.result.get("taste"):
        sentence = f"{report.result['taste']['sentence']}."
        yield from (sentence[0].upper() + sentence[1:], "")
    if report.result["items"]:
        yield from _luck(report.result)


def _conclusion(result: Mapping[str, Any]) -> Iterator[str]:
    """Results of earlier versions only say whether a winner was declared, the first ones not even that."""
    if "conclusion" in result:
        sentence = f"{result['conclusion']}."
        yield sentence[0].upper() + sentence[1:]
        yield ""
    elif "declared" in result:
        yield f"The child is {'better' if result['declared'] else 'no better'} than its best parent."
        yield ""


def _test_results(part: Mapping[str, Any]) -> Iterator[str]:
    by_votes = not part["items"]
    yield "Votes, as the chance to be preferred to the average:" if by_votes else f"Held-out test, {part['items']} items:"
    yield ""
    score = "chance" if by_votes else "test"
    yield f"| | {score} | 95 % interval | cut off | wrong language | repeating | child wins | loses | p |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    paired = {comparison["against"]: comparison for comparison in part["against"]}
    for row in references_of(part):
        yield _test_result(row, paired.get(row["name"]))
    yield _test_result(part["winner"], None, mark="**")


def _test_result(row: Mapping[str, Any], paired: Mapping[str, Any] | None, *, mark: str = "") -> str:
    name = f"{mark}{plain(row['name'])}{mark}"
    if row["test"] is None:
        return f"| {name} | failed | | | | | | | |"
    low, high = row["interval"]
    against = f"{paired['wins']} | {paired['losses']} | {paired['p']:.2g}" if paired else " | | "
    shares = " | ".join(percent(row.get(key, 0.0)) for key in ("truncated", "wrong_language", "repeating"))
    return f"| {name} | {percent(row['test'])} | {percent(low)} to {percent(high)} | {shares} | {against} |"


def _luck(result: Mapping[str, Any]) -> Iterator[str]:
    """How much of the search's score was luck: the winner on items that had no part in choosing it, and what was expected."""
    winner = result["winner"]
    known = {split: winner[split] for split in SPLITS if winner.get(split) is not None}
    scores = ", ".join(f"{percent(score)} on {split}" for split, score in known.items())
    yield f"The winner scored {scores}. {_drop(known)}".rstrip()
    for precision, known in result.get("expected", {}).items():
        if told := expectation(known):
            yield ""
            yield f"Known before the test, in {precision}: {told}."


def _drop(known: Mapping[str, float]) -> str:
    """What new items took away of the score that the winner was chosen for; a score that rose was no luck."""
    names = list(known)
    lost = [f"{100 * (known[a] - known[b]):.1f} points from {a} to {b}" for a, b in pairwise(names) if known[a] > known[b]]
    risen = [f"from {a} to {b}" for a, b in pairwise(names) if known[a] <= known[b]]
    fell = f"What it lost, {' and '.join(lost)}, was luck or items that happen to be harder." if lost else ""
    rose = f"It did not lose {' or '.join(risen)}: nothing there looks like luck." if risen else ""
    return " ".join(filter(None, (fell, rose)))


def _plots(plots: Mapping[str, str]) -> Iterator[str]:
    for title, file in plots.items():
        yield from ("", f"## {title}", "", f"![{title}]({file})")


def _search(report: Report) -> Iterator[str]:
    yield from ("", "## Search", "")
    children = [candidate for candidate in report.scored if candidate.kind == "search"]
    failed = [child for child in children if child.score is None]
    marked = [candidate for candidate in report.scored if candidate.mark]
    yield f"{len(children)} candidates, {len(failed)} of them failed, {len(marked)} marked as incoherent."
    for sizes in report.races:
        if sizes:
            yield f"Races on {', then '.join(map(str, sizes))} items of each task, different ones in each generation."
    for reason in report.search_ended:
        yield f"The search ended because {why_ended(reason)}."
    yield from _listed("Failed", [(child, child.failure) for child in failed])
    yield from _listed("Incoherent", [(candidate, candidate.mark) for candidate in marked])


def _listed(title: str, some: list[tuple[ScoredCandidate, str | None]]) -> Iterator[str]:
    if some:
        yield from ("", f"{title}:", "")
        yield from (f"- {plain(candidate.label)}: {plain(reason or '')}" for candidate, reason in some)


def _cost(report: Report) -> Iterator[str]:
    yield from (
        "",
        "## Cost",
        "",
        "| part | evaluations | answers | generated tokens | seconds |",
        "| --- | ---: | ---: | ---: | ---: |",
    )
    for part in report.spent:
        yield f"| {part.part} | {part.evaluations} | {part.answers} | {part.tokens:,} | {part.seconds:.0f} |"
    if report.foretold is not None:
        yield from ("", "### Estimated against actual time", "")
        estimated, actual = report.foretold / 60, report.seconds / 60
        yield f"Estimated after the baselines: {estimated:.1f} minutes in all. Actual time so far: {actual:.1f} minutes."


def _recipe(report: Report) -> Iterator[str]:
    yield from ("", "## Recipe", "", *fenced(report.recipe, "yaml"))
