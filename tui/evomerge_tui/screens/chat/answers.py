"""A column of a conversation: what was asked, and the answers as they are written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Markdown, Static
from textual.widgets.markdown import MarkdownStream

from evomerge_core.files.picture import Picture
from evomerge_quant.chat.conversation import Conversation
from evomerge_tui.talk.loaded_model import ChatAnswer, summary
from evomerge_tui.text.shown_text import many_lines, one_line
from evomerge_tui.widgets.picture_view import PictureView
from evomerge_tui.widgets.thumbnail import thumbnail


class AnswerColumn(Vertical):
    """One model's side. Answers are Markdown, drawn piece by piece."""

    _stream: MarkdownStream | None = None

    def compose(self) -> Iterable[Widget]:
        yield Static("", classes="name", markup=False)
        yield VerticalScroll(classes="talk")

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).anchor()

    def set_name(self, name: str) -> None:
        """Whose side it is."""
        self.query_one(".name", Static).update(Content(one_line(name, 80)))

    def clear(self) -> None:
        """Takes all messages away."""
        self._stream = None
        self.query_one(VerticalScroll).remove_children()

    def recall(self, said: Conversation) -> None:
        """What was said the last time."""
        talk = self.query_one(VerticalScroll)
        for message in said.messages:
            if message.role == "user":
                talk.mount(Static(Content(many_lines(message.text)), classes="asked", markup=False))
            elif message.role == "assistant":
                talk.mount(Markdown(many_lines(message.text), open_links=False))
        talk.mount(Static(Content("from the last time"), classes="ending", markup=False))

    async def begin(self, prompt: str, pictures: Sequence[Picture] = ()) -> None:
        """A question with its pictures, and the place for its answer."""
        talk = self.query_one(VerticalScroll)
        answer = Markdown("", open_links=False)
        shown = [PictureView(classes="picture") for _ in pictures]
        await talk.mount(*shown, Static(Content(many_lines(prompt)), classes="asked", markup=False), answer)
        for view, picture in zip(shown, pictures, strict=True):
            view.show([thumbnail(picture, Path(picture.where).name)])
        self._stream = Markdown.get_stream(answer)
        # a stream that is stopped before its task ran once raises CancelledError, which ends the screen's message pump
        await asyncio.sleep(0)
        talk.anchor()

    async def write(self, text: str) -> None:
        """A piece of the answer."""
        if self._stream is not None:
            await self._stream.write(many_lines(text))

    async def end(self, answer: ChatAnswer | None) -> None:
        """The answer is whole, or was stopped."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        await stream.stop()
        ending = "no answer" if answer is None else summary(answer)
        await self.query_one(VerticalScroll).mount(Static(Content(ending), classes="ending", markup=False))
