"""The first step: base and sources, from folders, the Hub cache and the Hub."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Select, Static
from textual.worker import Worker

from evomerge_core.discovery.fit import Fit
from evomerge_core.discovery.found import FoundModel, Kind
from evomerge_core.errors import InputError
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.processes.line_process import command_lines
from evomerge_tui.screens.dialogs.under_way import may_end
from evomerge_tui.screens.new_run.draft import (
    Draft,
    has_source,
    tokenizer_name,
    tokenizer_names,
    with_base,
    with_source,
    without_source,
)
from evomerge_tui.screens.new_run.messages import Judged
from evomerge_tui.screens.new_run.models.folder_picker import FolderPicker
from evomerge_tui.screens.new_run.models.listed import (
    Listed,
    columns,
    fit_of,
    found_in,
    reference_for,
    refusal,
    role_of,
    verdict,
    why,
)
from evomerge_tui.screens.new_run.models.ranking import Ranked, lacks, rank_sources, ranked_models
from evomerge_tui.screens.new_run.step import Step
from evomerge_tui.screens.work_under_way import UnderWay
from evomerge_tui.text.shown_text import one_line
from evomerge_tui.widgets.form_row import FormRow
from evomerge_tui.widgets.rows_table import RowsTable

_EMPTY = "No models here: type a name above and press enter to search the Hub, or press {models.folder} to choose a folder."
_UNSAID = "the base's"
_REST_SECONDS = 0.4
TONES = {"good": "$success", "bad": "$error"}


class ModelsStep(Step):
    """A list of models; the recipe's own are always in it."""

    SCOPE = "models"
    BINDINGS: ClassVar[list[BindingType]] = bindings("models")

    def __init__(self, draft: Draft) -> None:
        super().__init__(draft)
        self._found: dict[str, tuple[FoundModel, str]] = {}
        self._fits: dict[tuple[str, str], Fit] = {}
        self._downloads: dict[str, float] = {}
        self._downloads_began: dict[str, float] = {}
        self._workers: dict[str, Worker[None]] = {}
        self._looked_up: set[str] = set()
        self._folders: list[Path] = []
        self._tokenizers: tuple[str, ...] = ()
        self._ranked: dict[str, Ranked] = {}
        self._ranking: Worker[None] | None = None
        self._ranking_began = 0.0

    def compose(self) -> Iterable[Widget]:
        with Horizontal(classes="toolbar"):
            yield Input(placeholder="Filter, Hub name or folder", id="model-search")
            yield Static("", id="model-news", markup=False)
        yield RowsTable[Listed](
            columns(), lambda row: row.found.reference, sort="role", id="model-list", empty="Scanning …", opens="Use as source"
        )
        yield Static("", id="model-facts", markup=False)
        yield Static("", id="model-verdict", markup=False)
        yield FormRow(
            "Tokenizer",
            Select((), id="tokenizer", prompt=_UNSAID, compact=True),
            "whose tokenizer, template and end of a turn the child takes",
        )
        with Horizontal(classes="buttons"):
            yield Button("Use as source", id="use", tooltip="Merge this model, or leave it out again")
            yield Button("Base", id="base", tooltip="Use this model as the base")
            yield Button("Download", id="download", tooltip="Download this model, or cancel")
            yield Button("Folder", id="folder", tooltip="Choose a folder to look for models in")
            yield Button("Rank", id="rank", tooltip="Find out which of the sources merge well, or cancel")
            yield Button("Next: goal", id="next", variant="primary")

    def on_mount(self) -> None:
        self._look()

    def enter(self) -> None:
        self.table.focus()

    @property
    def table(self) -> RowsTable[Listed]:
        return self.query_one("#model-list", RowsTable)

    # what is found

    @work(exclusive=True, group="look")
    async def _look(self) -> None:
        folders = [*self.evomerge.settings.model_folders, str(self.evomerge.folder), *map(str, self._folders)]
        await self._take(self.ask("models", folders=folders), "")
        self.table.set_empty(self.evomerge.with_keys(_EMPTY))

    @work(exclusive=True, group="look")
    async def _look_in(self, folder: Path) -> None:
        """Adds the models that lie in a folder, or the one that the folder is."""
        self._folders = list(dict.fromkeys([*self._folders, folder]))
        self._news(f"Looking in {folder} …")
        before = set(self._found)
        await self._take(self.ask("models", folders=[str(folder)]), f"No models in {folder}")
        added = [reference for reference in self._found if Path(reference).is_relative_to(folder)]
        if added:
            fresh = len(set(added) - before)
            self._news(f"{len(added)} in {folder.name or folder}" + ("" if fresh else ", listed already"))
            self.table.move_to(added[0])

    @work(exclusive=True, group="hub")
    async def _search_hub(self, text: str) -> None:
        self._news(f"Searching the Hub for {text} …")
        await self._take(self.ask("search", text=text), f"Nothing on the Hub matches {text}")

    @work(exclusive=True, group="look-up")
    async def _look_up(self, references: list[str]) -> None:
        """Finds out about models that the recipe names and no list has."""
        fresh = [reference for reference in references if reference not in self._looked_up]
        self._looked_up.update(fresh)
        if fresh:
            await self._take(self.ask("named", references=fresh, folder=str(self.draft.folder)), "")

    async def _take(self, asked: Any, nothing: str) -> None:
        """Adds what the planner finds; what is on this machine stays before what the hub says of it."""
        try:
            answer = await asked
        except InputError as error:
            self._news("")
            self.evomerge.tell(str(error), "error")
            return
        self._news("" if answer else nothing)
        for facts in answer:
            found, lack = found_in(facts)
            known = self._found.get(found.reference)
            # a search says more about a model on the Hub than its small files in the cache do
            if known is None or found.where != "hub" or (known[0].where == "hub" and found.parameters is not None):
                self._found[found.reference] = (found, lack)
        self.refresh_draft()

    def refresh_draft(self) -> None:
        self._fill_tokenizers()
        self._fill_table()
        self._look_up([found.reference for found, _ in self._unlisted()])
        self._compare([row.found.reference for row in self._rows() if row.found.where != "hub" and row.fit.fits is None])

    def _fill_tokenizers(self) -> None:
        """The models whose tokenizer the child may take, where they changed, and the one that the recipe names."""
        select = self.query_one("#tokenizer", Select)
        names, named = tokenizer_names(self.draft), tokenizer_name(self.draft)
        with self.prevent(Select.Changed):
            if names != self._tokenizers:
                self._tokenizers = names
                select.set_options((one_line(name), name) for name in names)
            select.value = named or Select.NULL

    def _fill_table(self) -> None:
        self.table.set_rows(self._rows())
        self._show_detail()
        self.post_message(Judged())

    def trouble(self) -> str:
        chosen = (row for row in self._rows() if row.role)
        return next((one_line(reason) for row in chosen if (reason := refusal(row))), "")

    def _rows(self) -> list[Listed]:
        base = self._base()
        known = {reference: fit for (reference, of), fit in self._fits.items() if of == self.draft.base}
        return [self._listed(found, lack, base, known) for found, lack in (*self._found.values(), *self._unlisted())]

    def _listed(self, found: FoundModel, lack: str, base: FoundModel | None, known: dict[str, Fit]) -> Listed:
        fit = fit_of(found, base, known)
        ranked = self._ranked.get(self.draft.absolute(reference_for(found, self.draft)))
        return Listed(found, role_of(found, self.draft), fit, lack, self._downloads.get(found.reference), ranked)

    def _base(self) -> FoundModel | None:
        base = self.draft.absolute(self.draft.base)
        if not base:
            return None
        return self._found[base][0] if base in self._found else FoundModel(base, "model", "hub")

    def _unlisted(self) -> Iterable[tuple[FoundModel, str]]:
        """The recipe's own models that were not found: named by hand, or not downloaded yet."""
        base = self.draft.absolute(self.draft.base)
        named: dict[str, Kind] = {base: "model"} if base else {}
        for source in self.draft.sources:
            model, sign, adapter = self.draft.absolute(str(source["model"])).rpartition("+")
            is_adapter = bool(sign) and model == base
            named.setdefault(adapter if is_adapter else f"{model}{sign}{adapter}", "adapter" if is_adapter else "model")
        for reference, kind in named.items():
            if reference not in self._found:
                yield FoundModel(reference, kind, "hub"), ""

    # whether it fits

    @work(exclusive=True, group="compare")
    async def _compare(self, references: list[str]) -> None:
        """Compares what is on this machine with the base, one after the other."""
        if not self.draft.base:
            return
        for reference in references:
            if reference != self.draft.absolute(self.draft.base) and (reference, self.draft.base) not in self._fits:
                await self._fit(reference)

    @work(exclusive=True, group="compare-one")
    async def _compare_resting(self, reference: str) -> None:
        """Compares a hub model when the cursor rests on it: its headers are fetched."""
        await asyncio.sleep(_REST_SECONDS)
        if self.draft.base and (reference, self.draft.base) not in self._fits:
            await self._fit(reference)

    async def _fit(self, reference: str) -> None:
        draft, found = self.draft, self._found.get(reference)
        whole = reference if found is None else reference_for(found[0], draft)
        try:
            answer = await self.ask("fit", reference=whole, base=draft.base, folder=str(draft.folder))
            fit = Fit(answer["fits"], answer["reason"])
        except InputError as error:
            fit = Fit(None, str(error))
        self._fits[reference, draft.base] = fit
        self._fill_table()

    @on(RowsTable.Moved, "#model-list")
    def _moved(self, event: RowsTable.Moved) -> None:
        self._show_detail()
        row: Listed | None = event.row
        if row is not None and row.found.where == "hub" and row.fit.fits is None:
            self._compare_resting(row.found.reference)

    def _show_detail(self) -> None:
        row = self.table.row
        facts, sentence, tone = Content(), "", ""
        if row is not None:
            sentence, tone = verdict(row)
            facts = Content.assemble((f"{one_line(row.found.reference)}\n", "bold"), one_line(why(row)))
        self.query_one("#model-facts", Static).update(facts)
        self.query_one("#model-verdict", Static).update(Content.styled(one_line(sentence), TONES.get(tone, "$text-muted")))

    def _news(self, text: str) -> None:
        self.query_one("#model-news", Static).update(one_line(text))

    # what a person does

    @on(Input.Changed, "#model-search")
    def _filter(self, event: Input.Changed) -> None:
        self.table.set_filter(event.value.strip())

    @on(Input.Submitted, "#model-search")
    def _submitted(self, event: Input.Submitted) -> None:
        """A folder is looked into; anything else is searched on the Hub."""
        given = event.value.strip()
        folder = self.evomerge.folder / Path(given).expanduser()
        if given and folder.is_dir():
            event.input.value = ""
            self._look_in(folder.absolute())
        elif given.startswith(("/", "~", ".")) or "\\" in given:
            self._news(f"No such folder: {given}")
            return
        elif given:
            self._search_hub(given)
        self.table.focus()

    @on(Button.Pressed, "#folder")
    @work(exclusive=True, group="folder")
    async def action_folder(self) -> None:
        folder = await self.app.push_screen_wait(FolderPicker(self.evomerge.folder.absolute()))
        if folder is not None:
            self._look_in(folder)

    @on(RowsTable.Opened, "#model-list")
    @on(Button.Pressed, "#use")
    def action_use(self) -> None:
        row = self.table.row
        if row is None:
            return
        draft = self.draft
        if row.found.kind == "adapter" and not draft.base:
            draft = self._with_base_of(row.found, draft)
        if row.found.kind == "adapter" and not draft.base:
            self.evomerge.tell("An adapter needs its base: choose the base first (b)", "warning")
            return
        reference = reference_for(row.found, draft)
        self._change(without_source(draft, reference) if has_source(draft, reference) else self._use(row, reference, draft))

    def _use(self, row: Listed, reference: str, draft: Draft) -> Draft:
        if not draft.base and row.found.kind == "model":
            draft = self._with_base_of(row.found, draft)
        return with_source(draft, reference)

    def _with_base_of(self, found: FoundModel, draft: Draft) -> Draft:
        """With the model that this one says it was made from as base, when it is in the list."""
        names = {reference.rpartition("/")[2]: reference for reference, (of, _) in self._found.items() if of.kind == "model"}
        for named in found.made_from:
            base = named if named in self._found else names.get(named.rstrip("/").rpartition("/")[2])
            if base is not None and base != found.reference:
                return with_base(draft, base)
        return draft

    @on(Button.Pressed, "#base")
    def action_base(self) -> None:
        row = self.table.row
        if row is None:
            return
        if row.found.kind == "adapter":
            self.evomerge.tell("An adapter can't be the base: choose a full model", "warning")
            return
        self._change(with_base(self.draft, row.found.reference))

    @on(Select.Changed, "#tokenizer")
    def _choose_tokenizer(self, event: Select.Changed) -> None:
        event.stop()
        self.edit(self.draft.put(None if event.value is Select.NULL else event.value, "tokenizer_source"))

    def _change(self, draft: Draft) -> None:
        self.edit(draft)
        self.refresh_draft()

    def action_search(self) -> None:
        self.query_one("#model-search").focus()

    def action_again(self) -> None:
        self._fits.clear()
        self._look()

    # what takes long

    def under_way(self) -> Iterable[UnderWay]:
        yield from self._ranking_under_way()
        yield from (self._download_under_way(reference) for reference in self._downloads)

    def _ranking_under_way(self) -> Iterable[UnderWay]:
        if self._ranking is not None and self._ranking.is_running:
            yield UnderWay("The ranking of the sources", self._ranking_began)

    def _download_under_way(self, reference: str) -> UnderWay:
        kept = "What has arrived is kept: the next download continues from there."
        return UnderWay(f"The download of {reference}", self._downloads_began[reference], kept)

    @work(group="cancel")
    async def _ask_and_cancel(self, worker: Worker[None], works: Iterable[UnderWay]) -> None:
        if await may_end(self.app, works, "Cancel it"):
            worker.cancel()

    # ranking

    @on(Button.Pressed, "#rank")
    def action_rank(self) -> None:
        lacking = lacks(self.draft)
        if self._ranking is not None and self._ranking.is_running:
            self._ask_and_cancel(self._ranking, self._ranking_under_way())
        elif lacking:
            self.evomerge.tell(self.evomerge.with_keys(lacking), "warning")
        else:
            self._ranking_began = time.monotonic()
            self._ranking = self._rank()

    @work(exclusive=True, group="rank")
    async def _rank(self) -> None:
        self._news("Ranking: loading the models …")
        try:
            async for line in rank_sources(self.draft):
                if "asked" in line:
                    self._news(f"Ranking: {line['asked']} …")
                else:
                    self._ranked = ranked_models(line)
                    taken = ", ".join(member["name"] for member in line["members"] if member["taken"])
                    self._news(f"Best together: {taken}")
                    self._fill_table()
        except InputError as error:
            self._news("")
            self.evomerge.tell(str(error), "error")
        except asyncio.CancelledError:
            if self.is_attached:
                self._news("Ranking cancelled")
            raise

    # downloads

    @on(Button.Pressed, "#download")
    def action_download(self) -> None:
        row = self.table.row
        if row is None or row.found.where != "hub":
            self.evomerge.tell("This model is already on this machine" if row else "No model is selected", "warning")
            return
        reference = row.found.reference
        if reference in self._downloads:
            self._ask_and_cancel(self._workers[reference], [self._download_under_way(reference)])
        else:
            self._downloads[reference] = 0.0
            self._downloads_began[reference] = time.monotonic()
            self._workers[reference] = self._download(row)

    @work(group="downloads")
    async def _download(self, row: Listed) -> None:
        reference = row.found.reference
        try:
            async for line in command_lines(("download", reference)):
                if "done" in line:
                    self._downloads[reference] = line["done"] / max(1, line["total"])
                    self._fill_table()
                else:
                    self._found[reference] = (replace(row.found, where="cache"), row.lack)
                    self.evomerge.tell(f"Downloaded {reference}")
        except InputError as error:
            self.evomerge.tell(str(error), "error")
        except asyncio.CancelledError:
            if self.is_attached:
                self.evomerge.tell(f"{reference}: download cancelled; the next one continues from here", "warning")
            raise
        finally:
            self._downloads.pop(reference, None)
            if self.is_attached:
                self._look()
