"""Vote: two answers side by side, and nobody says whose they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from textual import on, work
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Static

from evomerge_core.errors import InputError
from evomerge_core.run.store.live_states import LIVE
from evomerge_core.run.taste.poll import Ballot
from evomerge_core.run.view.voting import Choice, Voting, cast, prompts_of, voting_now
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.screens.page import Page
from evomerge_tui.text.run_states import shown_state
from evomerge_tui.text.shown_text import many_lines
from evomerge_tui.widgets.top_bar import TopBar

_LOOK_SECONDS = 0.5
_SIDES = {"left": "Left ({vote.left})", "right": "Right ({vote.right})"}
_BUTTONS = {**_SIDES, "tie": "Tie ({vote.tie})"}
_CHOICES: dict[str, Choice] = {"left": "first", "right": "second", "tie": "tie"}


@dataclass
class VotingRead(Message):
    """What the run asks now."""

    voting: Voting


class VoteScreen(Page):
    """Reads in threads what the run asks, and adds votes to its store; the job is another process."""

    TITLE = "Vote"
    CSS_PATH = "vote.tcss"
    SCOPES = ("vote",)
    BINDINGS: ClassVar[list[BindingType]] = bindings("vote")

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._prompts: dict[str, str] | None = None
        self._ballot: Ballot | None = None
        self._failure = ""

    def body(self) -> Iterable[Widget]:
        yield Static("Looking for what is asked …", id="asked", markup=False)
        with Horizontal(id="answers"):
            for side, title in _SIDES.items():
                with VerticalScroll(id=side, classes="answer") as column:
                    column.border_title = self.evomerge.with_keys(title)
                    yield Static("", id=f"{side}-text", markup=False)
        with Horizontal(id="votes"):
            yield Static("Which answer is better?", id="ask-vote", markup=False)
            for choice, title in _BUTTONS.items():
                yield Button(self.evomerge.with_keys(title), id=f"vote-{choice}")

    def on_mount(self) -> None:
        self.query_one(TopBar).set_title(f"{self.folder.name} › vote")
        self.set_interval(_LOOK_SECONDS, self._look)
        self._look()

    @work(thread=True, exclusive=True, group="look", exit_on_error=False)
    def _look(self) -> None:
        self._read()

    def _read(self) -> None:
        try:
            self._prompts = self._prompts or prompts_of(self.folder)
            self.post_message(VotingRead(voting_now(self.folder, self._prompts)))
        except (InputError, sqlite3.Error, OSError) as error:
            self.app.call_from_thread(self._fail, str(error))

    def _fail(self, reason: str) -> None:
        if reason != self._failure:
            self._failure = reason
            self.evomerge.tell(reason, "error")

    @on(VotingRead)
    def _show(self, message: VotingRead) -> None:
        voting, before = message.voting, self._ballot
        self._ballot, self._failure = voting.ballot, ""
        self.set_class(voting.ballot is not None, "-asked")
        self.query_one(TopBar).set_standing(Content(_standing(voting)))
        if voting.ballot is None:
            self.query_one("#asked", Static).update(many_lines(_why_nothing(voting)))
        elif voting.ballot != before:
            self.query_one("#asked", Static).update(many_lines(voting.prompt))
            for side, answer in zip(("left", "right"), voting.ballot.answers, strict=True):
                self.query_one(f"#{side}-text", Static).update(many_lines(answer.strip() or "(nothing)"))
                self.query_one(f"#{side}", VerticalScroll).scroll_home(animate=False)

    def action_vote(self, choice: Literal["left", "right", "tie"]) -> None:
        if self._ballot is not None:
            # one press is one vote: the next pair is shown before another counts
            ballot, self._ballot = self._ballot, None
            self._cast(ballot, _CHOICES[choice])

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.action_vote((event.button.id or "").removeprefix("vote-"))  # type: ignore[arg-type]

    @work(thread=True, group="cast", exit_on_error=False)
    def _cast(self, ballot: Ballot, choice: Choice) -> None:
        try:
            cast(self.folder, ballot, choice)
        except (InputError, sqlite3.Error, OSError) as error:
            self.app.call_from_thread(self._fail, str(error))
        self._read()


def _standing(voting: Voting) -> str:
    return f"{voting.cast} of {voting.asked} votes" if voting.ballot is not None else f"{voting.cast} votes"


def _why_nothing(voting: Voting) -> str:
    if voting.state in LIVE:
        return "The next answers are being written. This screen shows them as soon as they can be compared."
    if voting.state == "finished":
        return "The run is finished: all votes were cast."
    return f"Nothing is asked: the run is {shown_state(voting.state).word}. Resume it on its dashboard."
