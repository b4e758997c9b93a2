"""Candidate: what one child is made of, and where it wins and loses."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from evomerge_core.errors import InputError
from evomerge_core.run.run_folder.folder import read_store
from evomerge_core.run.statistics import Paired
from evomerge_core.run.store.facts import read_facts
from evomerge_core.run.store.records import Candidate
from evomerge_core.run.verdict.candidate_scores import Difference, SplitScore, differences, paired, split_scores
from evomerge_core.run.view.asked_texts import AskedTexts, read_asked_texts
from evomerge_core.tasks.items.pictures import ItemPicture
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.processes.command_process import run_command
from evomerge_tui.screens.candidate.item_view import answers, item_columns, question
from evomerge_tui.screens.page import Page
from evomerge_tui.text.candidate_names import candidate_name, description
from evomerge_tui.text.quantities import percent, percent_range, score_text
from evomerge_tui.text.shown_text import many_lines, one_line
from evomerge_tui.widgets.genome_map import GenomeMap
from evomerge_tui.widgets.panel_tabs import PanelTabs
from evomerge_tui.widgets.picture_view import PictureView
from evomerge_tui.widgets.rows_table import RowsTable
from evomerge_tui.widgets.thumbnail import Thumbnail, item_thumbnail
from evomerge_tui.widgets.top_bar import TopBar

TABS = {"items": "Items", "genome": "Genome", "recipe": "Recipe"}
_OUTCOMES = ("all", "won", "lost")


@dataclass(frozen=True)
class ComparedCandidate:
    """What the store has of a candidate, compared with one reference on one split."""

    candidate: Candidate
    references: tuple[Candidate, ...]
    places: tuple[tuple[str, str], ...]
    against: int
    place: int
    scores: tuple[SplitScore, ...]
    items: tuple[Difference, ...]
    test: Paired | None
    dimensions: Sequence[Mapping[str, Any]]


@dataclass
class CandidateRead(Message):
    """A candidate as the store has it."""

    found: ComparedCandidate


@dataclass
class TextsRead(Message):
    """The questions of the run's items, or why they can't be read."""

    texts: AskedTexts
    problem: str


@dataclass
class PicturesRead(Message):
    """The pictures of an item, by task and item id."""

    item: tuple[str, str]
    pictures: tuple[Thumbnail, ...]


@dataclass
class RecipeRead(Message):
    """The candidate's merge as mergekit's YAML, or why there is none."""

    candidate: int
    text: str
    is_recipe: bool
    path: str = ""


class CandidateScreen(Page):
    """One candidate; `order` are the ids that `[` and `]` walk through."""

    CSS_PATH = "candidate.tcss"
    SCOPES = ("candidate", "table")
    BINDINGS: ClassVar[list[BindingType]] = bindings("candidate")

    def __init__(self, folder: Path, candidate: int, order: Sequence[int]) -> None:
        super().__init__()
        self.folder, self.candidate, self.order = folder, candidate, list(order)
        self._against = 0
        self._place: tuple[str, str] | None = None
        self._outcome = "all"
        self._found: ComparedCandidate | None = None
        self._texts: AskedTexts = {}
        self._item: tuple[str, str] | None = None
        self._recipe = ""

    def body(self) -> Iterable[Widget]:
        with Horizontal(id="head"):
            yield Static("", id="scores", markup=False)
        yield self.tabs(TABS)
        with Vertical(id="items", classes="tab -shown"):
            yield Static("", id="compared", markup=False)
            yield RowsTable[Difference](
                item_columns(lambda: self._texts),
                lambda item: (item.task, item.item),
                sort="outcome",
                empty="No items here",
                opens="Read",
                id="item-list",
            )
            with VerticalScroll(id="detail", can_focus=True), Horizontal(id="asked"):
                yield PictureView(id="pictures")
                with Vertical(id="read"):
                    yield Static("", id="question", markup=False)
                    with Horizontal(id="answers"):
                        yield Static("", id="ours", markup=False)
                        yield Static("", id="theirs", markup=False)
        with VerticalScroll(id="genome", classes="tab"):
            yield GenomeMap(id="map")
        with VerticalScroll(id="recipe", classes="tab"):
            yield Static("", id="yaml", markup=False)

    def on_mount(self) -> None:
        self.query_one("#item-list").focus()
        self._load()
        self._load_texts()

    # threads

    def _load(self) -> None:
        self._read(self.candidate, self._against, self._place)
        self.query_one("#yaml", Static).update(Content.styled("Writing the recipe …", "$text-muted"))
        self._recipe = ""
        self._write_recipe(self.candidate)

    @work(thread=True, exclusive=True, group="candidate", exit_on_error=False)
    def _read(self, candidate: int, against: int, place: tuple[str, str] | None) -> None:
        try:
            found = read_candidate(self.folder, candidate, against, place)
        except (InputError, sqlite3.Error, OSError) as error:
            self.app.call_from_thread(self.evomerge.tell, str(error), "error")
        else:
            self.post_message(CandidateRead(found))

    @work(thread=True, exclusive=True, group="texts", exit_on_error=False)
    def _load_texts(self) -> None:
        try:
            self.post_message(TextsRead(read_asked_texts(self.folder), ""))
        except (InputError, OSError) as error:
            self.post_message(TextsRead({}, str(error)))

    @work(thread=True, exclusive=True, group="pictures", exit_on_error=False)
    def _read_pictures(self, item: tuple[str, str], pictures: Sequence[ItemPicture]) -> None:
        try:
            self.post_message(PicturesRead(item, tuple(map(item_thumbnail, pictures))))
        except InputError as error:
            self.post_message(PicturesRead(item, ()))
            self.app.call_from_thread(self.evomerge.tell, str(error), "warning")

    @work(thread=True, exclusive=True, group="recipe", exit_on_error=False)
    def _write_recipe(self, candidate: int) -> None:
        worker = get_current_worker()
        try:
            store = read_store(self.folder)
            name = store.candidate(candidate).label
            store.close()
            answer = run_command(("candidate", self.folder, name), is_cancelled=lambda: worker.is_cancelled)
            message = RecipeRead(candidate, answer["recipe"], True, answer["path"] or "")
        except InputError as error:
            message = RecipeRead(candidate, str(error), False)
        if not worker.is_cancelled:
            self.post_message(message)

    # what they found

    @on(CandidateRead)
    def _show(self, message: CandidateRead) -> None:
        found = self._found = message.found
        self._against, self._place = found.against, found.places[found.place] if found.places else None
        self.query_one(TopBar).set_title(f"{self.folder.name} › {candidate_name(found.candidate.label, found.candidate.kind)}")
        self.query_one("#scores", Static).update(_scores(found))
        self.query_one(GenomeMap).show(found.candidate.genome or (), found.dimensions)
        self._show_items()

    def _show_items(self) -> None:
        found = self._found
        if found is None:
            return
        kept = [item for item in found.items if self._outcome in ("all", item.outcome)]
        self.query_one("#compared", Static).update(_compared(found, self._outcome))
        table: RowsTable[Difference] = self.query_one("#item-list", RowsTable)
        table.set_rows(kept)
        self._show_item(table.row)

    @on(RowsTable.Moved)
    def _moved(self, event: RowsTable.Moved) -> None:
        self._show_item(event.row)

    def _show_item(self, item: Difference | None) -> None:
        found = self._found
        self._item = None if item is None else (item.task, item.item)
        self._show_pictures_of(self._item)
        if item is None or found is None:
            for name in ("question", "ours", "theirs"):
                self.query_one(f"#{name}", Static).update("")
            return
        self.query_one("#question", Static).update(question(item, self._texts))
        other = found.references[found.against].label if found.references else ""
        mine, theirs = answers(item, found.candidate.label, other)
        self.query_one("#ours", Static).update(mine)
        self.query_one("#theirs", Static).update(theirs)

    def _show_pictures_of(self, item: tuple[str, str] | None) -> None:
        text = None if item is None else self._texts.get(item)
        if item is None or text is None or not text.pictures:
            self.query_one(PictureView).show(())
        else:
            self._read_pictures(item, text.pictures)

    @on(PicturesRead)
    def _show_pictures(self, message: PicturesRead) -> None:
        if message.item == self._item:
            self.query_one(PictureView).show(message.pictures)

    @on(TextsRead)
    def _show_texts(self, message: TextsRead) -> None:
        self._texts = message.texts
        if message.problem:
            self.evomerge.tell(message.problem, "warning")
        self._show_items()

    @on(RecipeRead)
    def _show_recipe(self, message: RecipeRead) -> None:
        if message.candidate != self.candidate:
            return
        self._recipe = message.text if message.is_recipe else ""
        if message.path:
            self.query_one(GenomeMap).show_path(message.path)
        text = many_lines(message.text)
        self.query_one("#yaml", Static).update(Content(text) if message.is_recipe else Content.styled(text, "$error"))

    # what a person does

    def action_step(self, step: int) -> None:
        if self.candidate in self.order:
            place = self.order.index(self.candidate) + step
            if 0 <= place < len(self.order):
                self.candidate, self._place = self.order[place], None
                self._load()

    def action_against(self) -> None:
        if self._found is not None and self._found.references:
            self._read(self.candidate, (self._against + 1) % len(self._found.references), self._place)

    def action_where(self) -> None:
        if self._found is not None and self._found.places:
            place = self._found.places[(self._found.place + 1) % len(self._found.places)]
            self._read(self.candidate, self._against, place)

    def action_outcome(self) -> None:
        self._outcome = _OUTCOMES[(_OUTCOMES.index(self._outcome) + 1) % len(_OUTCOMES)]
        self._show_items()

    def action_copy(self) -> None:
        if self._recipe:
            self.evomerge.copy_text(self._recipe, "recipe")
        else:
            self.evomerge.tell("The recipe isn't ready yet", "warning")

    def action_tab(self, name: str) -> None:
        for tab in TABS:
            self.query_one(f"#{tab}").set_class(tab == name, "-shown")
        self.query_one(PanelTabs).choose(name)
        (self.query_one("#item-list") if name == "items" else self.query_one(f"#{name}")).focus()

    @on(PanelTabs.Chosen)
    def _tab_chosen(self, event: PanelTabs.Chosen) -> None:
        self.action_tab(event.name)

    @on(RowsTable.Opened)
    def _to_answers(self) -> None:
        self.query_one("#detail").focus()


def read_candidate(folder: Path, candidate: int, against: int, place: tuple[str, str] | None) -> ComparedCandidate:
    """Reads a candidate from the store; `against` counts the references, `place` is a split and precision (None: the
    last in which both were scored). For a thread."""
    store = read_store(folder)
    try:
        subject = store.candidate(candidate)
        references = tuple(c for c in (*store.candidates("parent"), *store.candidates("uniform")) if c.id != candidate)
        places = tuple(store.scored_in(candidate))
        against = against if against < len(references) else 0
        shared = [scored for scored in places if references and scored in store.scored_in(references[against].id)]
        chosen = places.index(place or (shared or places)[-1]) if places else 0
        items = differences(store, candidate, references[against].id, *places[chosen]) if places and references else []
        weights = read_facts(store).weights or {item.task: 1.0 for item in items}
        scores = split_scores(store, candidate, weights) if items else []
        test = paired(items, weights)
        dimensions = read_facts(store).dimensions
    finally:
        store.close()
    return ComparedCandidate(subject, references, places, against, chosen, tuple(scores), tuple(items), test, dimensions)


def _scores(found: ComparedCandidate) -> Content:
    candidate = found.candidate
    what = description(candidate.label, candidate.kind, candidate.generation)
    lines = [Content.assemble((one_line(candidate.label, 40), "bold"), (f"  {what}", "$text-muted"))]
    for score in found.scores:
        low_high = "" if score.interval is None else percent_range(*score.interval)
        notes = [one_line(score.failure or "", 80)] if score.failure else []
        notes += [f"{percent(score.truncated, 0)} cut off"] if score.truncated else []
        notes += [f"{percent(score.wrong_language, 0)} in another language"] if score.wrong_language else []
        shown = (f"{score_text(score.score):>7}", "bold" if score.split == "test" else "")
        where = f"{score.split} {score.precision}" + (f" {one_line(score.task, 24)}" if score.task else "")
        lines.append(
            Content.assemble(
                (f"{where:<16}", "$text-muted"),
                shown,
                f"  {low_high:<10}",
                (f"  {score.items} items  {' · '.join(notes)}", "$text-muted"),
            )
        )
    return Content("\n").join(lines)


def _compared(found: ComparedCandidate, outcome: str) -> Content:
    if not found.references or not found.places:
        return Content.styled("Not scored yet", "$text-muted")
    split, precision = found.places[found.place]
    other = one_line(found.references[found.against].label, 30)
    parts = [Content.assemble((f"{split} {precision}", "bold"), " against ", (other, "bold"))]
    if found.test is not None:
        tied = sum(item.outcome == "even" for item in found.items)
        parts.append(
            Content.assemble(
                (f"✓ {found.test.wins} won", "$success"), "  ", (f"✗ {found.test.losses} lost", "$error"), f"  {tied} tied"
            )
        )
        parts.append(Content(f"p = {found.test.p:.2g}"))
    if outcome != "all":
        parts.append(Content.styled(f"only items {outcome}", "$warning"))
    return Content(" · ").join(parts)
