"""Chat: with a winner, or with two models side by side, blind if asked."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import events, on, work
from textual.binding import BindingType
from textual.containers import Center, Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Static

from evomerge_core.errors import InputError
from evomerge_core.files.picture import Picture
from evomerge_quant.chat.conversation import Conversation
from evomerge_quant.chat.sampling import Sampling
from evomerge_quant.gguf.subject.export_paths import find_gguf
from evomerge_tui.keys.bindings import bindings
from evomerge_tui.screens.chat.answers import AnswerColumn
from evomerge_tui.screens.chat.composer import Composer
from evomerge_tui.screens.page import Page
from evomerge_tui.talk.chat_history import forget_chat, keep_chat, recall_chat
from evomerge_tui.talk.chat_thread import Answered, AnswerPiece, ChatEvent, ChatFailed, ChatThread, ModelsOpened
from evomerge_tui.talk.picture_paths import read_pictures, split_message
from evomerge_tui.talk.votes import Choice, keep_vote, new_vote, read_votes, tally
from evomerge_tui.text.shown_text import many_lines, one_line
from evomerge_tui.widgets.top_bar import TopBar

_SIDES = ("left", "right")


@dataclass
class ChatUpdate(Message):
    """Something happened in the chat's thread."""

    event: ChatEvent


class ChatScreen(Page):
    """`folder` is a run's; the thread runs the models, this screen shows what they answer."""

    TITLE = "Chat"
    CSS_PATH = "chat.tcss"
    SCOPES = ("chat",)
    BINDINGS: ClassVar[list[BindingType]] = bindings("chat")
    AUTO_FOCUS = "#composer"

    def __init__(self, folder: Path, file: Path | None = None) -> None:
        super().__init__()
        self.folder = folder
        self._file = file
        self._thread = ChatThread(self._notify)
        self._files: tuple[Path, ...] = ()
        self._order = [0, 1]
        self._blind = False
        self._busy = True
        self._prompt = ""
        self._system: str | None = None
        self._sampling = Sampling()
        self._answers: list[str] = ["", ""]
        self._shown: tuple[Picture, ...] = ()
        self._keeping = asyncio.Lock()

    def _notify(self, event: ChatEvent) -> None:
        self.post_message(ChatUpdate(event))

    def body(self) -> Iterable[Widget]:
        with Vertical(id="nothing"):
            yield Static("There is no GGUF file to chat with yet.", classes="question", markup=False)
            yield Static("", id="why", markup=False)
            with Center():
                yield Button("Export the winner", id="export", variant="primary")
        with Horizontal(id="columns"):
            yield AnswerColumn(id="left")
            yield AnswerColumn(id="right")
        with Horizontal(id="votes"):
            yield Static("Which answer is better?", id="ask-vote", markup=False)
            for choice, title in (("left", "Left (F2)"), ("right", "Right (F3)"), ("tie", "Tie (F4)")):
                yield Button(title, id=f"vote-{choice}")
        yield Composer(id="composer")

    def on_mount(self) -> None:
        self.query_one(TopBar).set_title(f"{self.folder.name} › chat")
        self._run_thread()
        self._find()

    def on_unmount(self) -> None:
        self._thread.close()

    @on(events.ScreenResume)
    def _look_again(self) -> None:
        """Back from the export there may be a file."""
        if not self._files and self.has_class("-nothing"):
            self._find()

    @work(thread=True, group="chat-thread", exit_on_error=False)
    def _run_thread(self) -> None:
        self._thread.run()

    @work(exclusive=True, group="find", exit_on_error=False)
    async def _find(self) -> None:
        try:
            file = self._file if self._file is not None else await asyncio.to_thread(find_gguf, self.folder)
        except InputError as error:
            self.add_class("-nothing")
            self.query_one("#why", Static).update(Content.styled(many_lines(str(error)), "$text-muted"))
            self.query_one("#export").focus()
            return
        self.remove_class("-nothing")
        said = await asyncio.to_thread(recall_chat, file) if self.evomerge.settings.chat_history else None
        self._open_models((file,), said)

    @on(Button.Pressed, "#export")
    def _export(self) -> None:
        self.evomerge.open_export(self.folder)

    def _open_models(self, files: tuple[Path, ...], said: Conversation | None = None) -> None:
        self._files, self._busy = files, True
        self._order = [0, 1]
        if self._blind and len(files) > 1:
            random.shuffle(self._order)
        self.set_class(len(files) > 1, "-two")
        for column in self.query(AnswerColumn):
            column.clear()
        self._name_columns()
        self._stand("opening …")
        if said is not None:
            self._system = said.system
            self.query_one("#left", AnswerColumn).recall(said)
        self._thread.open_models(files, self._system, said)

    def _name_columns(self) -> None:
        for place, side in enumerate(_SIDES):
            if place < max(1, len(self._files)):
                hidden = self._blind and len(self._files) > 1
                name = side if hidden or not self._files else self._files[self._order[place]].name
                self.query_one(f"#{side}", AnswerColumn).set_name(name)

    def _column(self, model: int) -> AnswerColumn:
        side = _SIDES[self._order.index(model)] if len(self._files) > 1 else "left"
        return self.query_one(f"#{side}", AnswerColumn)

    def _stand(self, text: str) -> None:
        self.query_one(TopBar).set_standing(Content(text))

    # events of the chat's thread

    @on(ChatUpdate)
    async def _show_event(self, message: ChatUpdate) -> None:
        event = message.event
        if isinstance(event, ModelsOpened):
            self._busy, self._sampling = False, event.sampling
            self._stand(f"context {event.context:,} tokens")
        elif isinstance(event, AnswerPiece):
            self._answers[event.model] += event.text
            await self._column(event.model).write(event.text)
        elif isinstance(event, Answered):
            await self._answered(event)
        elif isinstance(event, ChatFailed):
            self._busy = False
            self.evomerge.tell(event.reason, "error")

    async def _answered(self, event: Answered) -> None:
        self._busy = False
        for model, answer in enumerate(event.answers):
            await self._column(model).end(answer)
        two = len(self._files) > 1 and all(answer is not None for answer in event.answers)
        self.set_class(two, "-votable")
        if len(self._files) == 1 and (answer := event.answers[0]) is not None and self.evomerge.settings.chat_history:
            self._keep(self._files[0], answer.reply.conversation)

    @work(group="keep", exit_on_error=False)
    async def _keep(self, file: Path, said: Conversation | None) -> None:
        """Keeps what was said for the next time, or forgets it (None); one after the other, as they were asked for."""
        async with self._keeping:
            try:
                await (asyncio.to_thread(forget_chat, file) if said is None else asyncio.to_thread(keep_chat, file, said))
            except InputError as error:
                self.evomerge.tell(str(error), "warning")

    # what a person does

    @on(Composer.Sent)
    async def _sent(self, event: Composer.Sent) -> None:
        if self._busy or not self._files:
            self.evomerge.tell(self.evomerge.with_keys("Wait for the answer, or press {chat.stop} to stop it"), "warning")
            return
        try:
            text, paths = split_message(event.text)
            self._shown += await asyncio.to_thread(read_pictures, paths)
        except InputError as error:
            self.evomerge.tell(str(error), "error")
            return
        self.query_one(Composer).text = ""
        if not text:
            self.evomerge.tell("Shown with the next message")
            return
        pictures, self._shown = self._shown, ()
        self._busy, self._prompt, self._answers = True, text, ["", ""]
        self.remove_class("-votable")
        # the thread's events wait until this is done, but from here on escape stops the answer
        self._thread.ask(text, pictures)
        for model in range(len(self._files)):
            await self._column(model).begin(text, pictures)

    def action_send(self) -> None:
        self.query_one(Composer).action_send()

    def action_new_line(self) -> None:
        self.query_one(Composer).insert("\n")

    def action_stop_or_leave(self) -> None:
        if self._busy and self._prompt:
            self._thread.stop()
        else:
            self.app.pop_screen()

    def action_clear(self) -> None:
        self._thread.stop()
        self._thread.clear(self._system)
        self._prompt, self._shown = "", ()
        self.remove_class("-votable")
        for column in self.query(AnswerColumn):
            column.clear()
        if len(self._files) == 1:
            self._keep(self._files[0], None)

    @work(exclusive=True, group="compare")
    async def action_compare(self) -> None:
        from evomerge_tui.screens.chat.compare_with import CompareWith

        if not self._files:
            return
        if len(self._files) > 1:
            self._open_models(self._files[:1])
            return
        other = await self.app.push_screen_wait(CompareWith(self.folder, self._files[0]))
        if isinstance(other, str):
            self.evomerge.open_export(self.folder, other)
        elif other is not None:
            self._open_models((self._files[0], other))

    def action_blind(self) -> None:
        """Hides or shows which is which; the sides are drawn anew when it is hidden."""
        self._blind = not self._blind
        if len(self._files) < 2:
            self.evomerge.tell(f"Names are {'hidden' if self._blind else 'shown'} in the next comparison")
        elif self._blind:
            self._open_models(self._files)
        else:
            self._name_columns()
            self.evomerge.tell(self._tally())

    def action_vote(self, choice: Choice) -> None:
        if not self.has_class("-votable"):
            return
        self.remove_class("-votable")
        names = [self._files[self._order[place]].name for place in range(2)]
        answers = [self._answers[self._order[place]] for place in range(2)]
        try:
            keep_vote(self.folder, new_vote(self._prompt, names, answers, choice, blind=self._blind))
        except InputError as error:
            self.evomerge.tell(str(error), "error")
            return
        self.evomerge.tell("Vote saved" if self._blind else f"Vote saved: {self._tally()}")

    @on(Button.Pressed)
    def _voted(self, event: Button.Pressed) -> None:
        name = event.button.id or ""
        if name.startswith("vote-"):
            self.action_vote(name.removeprefix("vote-"))  # type: ignore[arg-type]
            self.query_one(Composer).focus()

    def _tally(self) -> str:
        counts = tally(read_votes(self.folder), [file.name for file in self._files])
        return ", ".join(f"{one_line(name, 60)} {count}" for name, count in counts.items())

    @work(exclusive=True, group="sampling")
    async def action_sampling(self) -> None:
        from evomerge_tui.screens.chat.sampling import SamplingDialog

        chosen = await self.app.push_screen_wait(SamplingDialog(self._sampling, self._system))
        if chosen is None:
            return
        self._sampling, system = chosen
        self._thread.set_sampling(self._sampling)
        if system != self._system:
            self._system = system
            self.action_clear()

    def action_copy(self) -> None:
        model = self._order[0] if len(self._files) > 1 else 0
        if self._answers[model]:
            self.evomerge.copy_text(self._answers[model], "answer")
