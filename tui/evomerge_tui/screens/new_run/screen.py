"""A new run: four steps, a summary at the side, and one recipe that all of them edit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Button

from evomerge_core.errors import InputError
from evomerge_core.files.durable import write_whole
from evomerge_core.run.run_folder.names import STORE
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.processes.planner.client import Planner
from evomerge_tui.screens.dialogs.confirm import Confirm
from evomerge_tui.screens.dialogs.starting import Starting
from evomerge_tui.screens.dialogs.under_way import may_end
from evomerge_tui.screens.leave_field import leave_field
from evomerge_tui.screens.new_run.draft import Draft, moved_to, new_draft
from evomerge_tui.screens.new_run.field_titles import step_of, with_titles
from evomerge_tui.screens.new_run.goal.goal_step import GoalStep
from evomerge_tui.screens.new_run.messages import Edited, ItemsRead, Judged, StartAsked, StepChosen
from evomerge_tui.screens.new_run.models.downloading import Downloading
from evomerge_tui.screens.new_run.models.models_step import ModelsStep
from evomerge_tui.screens.new_run.open_recipe import OpenRecipe
from evomerge_tui.screens.new_run.recipe_path import RecipePath
from evomerge_tui.screens.new_run.review.review_step import ReviewStep, file_name
from evomerge_tui.screens.new_run.search.search_step import SearchStep
from evomerge_tui.screens.new_run.step import Step
from evomerge_tui.screens.new_run.step_bar import STEPS, StepBar
from evomerge_tui.screens.new_run.summary import Summary
from evomerge_tui.screens.page import Page
from evomerge_tui.screens.work_under_way import UnderWay
from evomerge_tui.widgets.top_bar import TopBar

_TYPING_SECONDS = 0.15


class NewRunScreen(Page):
    """`recipe` is a file to start from."""

    TITLE = "New run"
    CSS_PATH = "new_run.tcss"
    SCOPES = ("new_run", "models", "goal", "search", "review", "table")
    BINDINGS: ClassVar[list[BindingType]] = bindings("new_run")

    def __init__(self, recipe: Path | None = None) -> None:
        super().__init__()
        self.planner = Planner()
        self._recipe = recipe
        self._step = "models"
        self._estimate: Mapping[str, Any] | None = None
        self._trouble = ""
        self._is_reading = False
        self._tokens: float | None = None
        self.draft = new_draft(Path())

    def body(self) -> Iterable[Widget]:
        yield StepBar(id="step-bar")
        with Container(id="work"):
            with Container(id="steps"):
                for step in (ModelsStep, GoalStep, SearchStep, ReviewStep):
                    yield step(self.draft)
            yield Summary(id="summary")

    def on_mount(self) -> None:
        self._take(new_draft(self.evomerge.folder))
        self.action_go("models")
        if self._recipe is not None:
            self._read_recipe(self._recipe)

    async def on_unmount(self) -> None:
        await self.planner.close()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_summary)
        self.call_after_refresh(self._show_steps)

    # one draft for all

    @on(Edited)
    def _edited(self, event: Edited) -> None:
        event.stop()
        # a step that was changed again since is not set back: its next message is on its way
        newest = self.query_one(f"#{event.step}", Step).draft
        if newest is event.draft or newest is self.draft:
            self._take(event.draft)

    @on(ItemsRead)
    def _items_read(self, event: ItemsRead) -> None:
        event.stop()
        self.query_one(SearchStep).know_items(event.total)
        if event.tokens != self._tokens:
            self._tokens = event.tokens
            self._reckon()

    @on(Judged)
    def _judged(self, event: Judged) -> None:
        event.stop()
        if self.display:
            self._show_steps()

    def _take(self, draft: Draft) -> None:
        self.draft = draft
        self._tell_all()

    def _tell_all(self) -> None:
        if not self.display:
            return  # the screen is being taken down
        for step in self.query(Step):
            if step.draft is not self.draft:
                step.show(self.draft)
        name = str(self.draft.get("name", default="")) or "New run"
        where = str(self.draft.path) if self.draft.path else "not saved yet"
        bar = self.query_one(TopBar)
        bar.set_title(f"New run › {name}")
        bar.set_standing(Text(where if self.draft.is_saved else f"● {where}"))
        self._show_steps()
        self._show_summary()
        self._reckon()

    def _show_steps(self) -> None:
        troubles = {str(step.id): step.trouble() for step in self.query(Step)}
        if self._trouble:
            place = step_of(self._trouble)
            troubles[place] = troubles[place] or with_titles(self._trouble)
        self.query_one(StepBar).show(self._step, self._lacking(self.draft, troubles))

    def _lacking(self, draft: Draft, troubles: Mapping[str, str]) -> dict[str, str]:
        return {step: self.evomerge.with_keys(need) for step, need in lacking(draft, troubles).items()}

    def _show_summary(self) -> None:
        if self.display:
            # the checklist of the last step has times and memory of its own, which know the prompts' lengths
            estimate = None if self._step == "review" else self._estimate
            self.query_one(Summary).show(self.draft, estimate, with_titles(self._trouble))

    @work(exclusive=True, group="estimate")
    async def _reckon(self) -> None:
        """What the run would take, soon after the last key."""
        await asyncio.sleep(_TYPING_SECONDS)
        draft = self.draft
        missing = next((text for text in self._lacking(draft, {}).values() if text), "")
        if missing:
            self._reckoned(None, missing)
            return
        try:
            tokens = self._tokens
            self._reckoned(await self.ask("estimate", data=draft.data, folder=str(draft.folder), prompt_tokens=tokens), "")
        except InputError as error:
            self._reckoned(None, str(error))

    async def ask(self, question: str, **parameters: Any) -> Any:
        """Asks the planner. An answer that comes when the screen is gone ends the worker that waited for it."""
        answer = await self.planner.ask(question, **parameters)
        if not self.display:
            raise asyncio.CancelledError
        return answer

    def _reckoned(self, estimate: Mapping[str, Any] | None, trouble: str) -> None:
        self._estimate, self._trouble = estimate, trouble
        if not self.display:
            return
        self._show_steps()
        self._show_summary()

    # steps

    @on(StepChosen)
    def _step_chosen(self, event: StepChosen) -> None:
        event.stop()
        self.action_go(event.step)

    def action_go(self, step: str) -> None:
        self._step = step
        for shown_step in self.query(Step):
            shown_step.display = shown_step.id == step
        self._show_steps()
        self._show_summary()
        self.query_one(f"#{step}", Step).enter()

    @on(Button.Pressed, "#next")
    def _next(self) -> None:
        self.action_step(1)

    def action_step(self, by: int) -> None:
        names = list(STEPS)
        self.action_go(names[max(0, min(len(names) - 1, names.index(self._step) + by))])

    def action_back(self) -> None:
        if leave_field(self):
            return
        if self._step != "models":
            self.action_step(-1)
        else:
            self._leave()

    @work(exclusive=True, group="leave")
    async def _leave(self) -> None:
        if await self._may_lose_changes("Leave") and await may_end(self.app, self.under_way(), "Leave"):
            self.app.pop_screen()

    async def _may_lose_changes(self, do: str) -> bool:
        """Whether nothing of the recipe would be lost, or the person lets it go."""
        detail = self.evomerge.with_keys("Your changes to the recipe will be lost. Press {new_run.save} to save them.")
        return self.draft.is_saved or await self.app.push_screen_wait(Confirm(f"{do} without saving?", detail, do))

    def under_way(self) -> Iterable[UnderWay]:
        return (one for step in self.query(Step) for one in step.under_way())

    # the recipe's file

    @work(exclusive=True, group="recipe")
    async def _read_recipe(self, path: Path) -> None:
        self._set_reading(path)
        try:
            answer = await self.ask("open", path=str(path))
        except InputError as error:
            self.evomerge.tell(str(error), "error")
        else:
            data = answer["data"]
            # a recipe inside a run or this program is a start for a new one, never written to
            own = not (path.parent / STORE).exists() and not answer["is_ready"]
            self.draft = Draft(data, path.parent, path if own else None, data if own else None)
        self._set_reading(None)

    def _set_reading(self, path: Path | None) -> None:
        """While a recipe is read nothing can be edited: it would be overwritten by what the file says."""
        self._is_reading = path is not None
        for part in ("#work", "#step-bar"):
            self.query_one(part).disabled = self._is_reading
        if path is not None:
            self.query_one(TopBar).set_title(f"New run › reading {path.name} …")
        else:
            self._tell_all()
            self.query_one(f"#{self._step}", Step).enter()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        return action not in ("open", "save", "go", "step") or not self._is_reading

    @work(exclusive=True, group="recipe")
    async def action_open(self) -> None:
        path = await self.app.push_screen_wait(OpenRecipe())
        if path is not None and await self._may_lose_changes("Open it"):
            self._read_recipe(path)

    @on(Button.Pressed, "#save")
    @work(exclusive=True, group="save")
    async def action_save(self) -> None:
        path = self.draft.path or await self.app.push_screen_wait(RecipePath(self._suggested()))
        if path is not None and await self._save(path):
            self.evomerge.tell(f"Saved: {path}")

    def _suggested(self) -> Path:
        return self.evomerge.folder / f"{file_name(self.draft.get('name'))}.yaml"

    async def _save(self, path: Path) -> bool:
        """Writes the whole recipe, or what there is of it; false when it can't be written."""
        try:
            draft = moved_to(self.draft, path.parent)
            answer = await self.ask("written", data=draft.data, folder=str(path.parent))
            write_whole(path, answer["yaml"])
            # what was typed meanwhile stays, and isn't saved yet
            self._take(replace(moved_to(self.draft, path.parent), path=path, saved=draft.data))
        except InputError as error:
            self.evomerge.tell(str(error), "error")
            return False
        return True

    # the start

    @on(StartAsked)
    @work(exclusive=True, group="start")
    async def _start(self, event: StartAsked) -> None:
        path = self.draft.path if self.draft.path is not None else free_file(event.folder.with_suffix(".yaml").absolute())
        if not await self._save(path):
            return
        away = (self._estimate or {}).get("away") or ()
        if away and not await self.app.push_screen_wait(Downloading(away)):
            return
        starting = Starting(str(self.draft.get("name")), event.folder.absolute(), ("run", path))
        folder = await self.app.push_screen_wait(starting)
        if folder is not None:
            self.app.pop_screen()
            self.evomerge.open_run(folder)


def lacking(draft: Draft, troubles: Mapping[str, str]) -> dict[str, str]:
    """What each step still needs, with actions in braces where their keys belong, "" for nothing; `troubles` say what is wrong
    with what is chosen in a step."""
    models = "" if draft.base else "choose a base: press {models.base} on a model"
    models = models or ("" if draft.sources else "choose sources: press {models.use} on a model")
    goal = "" if draft.tasks else "add a task: press {goal.add} in step 2"
    budget = draft.get("budget", "evaluations") or draft.get("budget", "minutes")
    search = "" if budget else "set candidates or minutes in step 3"
    needs = {"models": models, "goal": goal, "search": search}
    needs = {step: need or troubles.get(step, "") for step, need in needs.items()}
    return {**needs, "review": next(filter(None, needs.values()), "") or troubles.get("review", "")}


def free_file(path: Path) -> Path:
    """The file, or the first of `file-2`, `file-3`, ... that there isn't."""
    number, free = 2, path
    while free.exists():
        free, number = path.with_stem(f"{path.stem}-{number}"), number + 1
    return free
