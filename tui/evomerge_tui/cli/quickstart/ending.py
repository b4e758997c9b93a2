"""The end of the quickstart: its winner as verified GGUF files, and an answer from one of them."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from rich.text import Text

from evomerge_core.errors import InputError
from evomerge_core.files.path_text import on_command_line
from evomerge_tui.cli.model_commands.export import export_winner
from evomerge_tui.text.shown_text import one_line

if TYPE_CHECKING:
    from rich.console import Console

    from evomerge_core.tasks.items.items import Item

TYPES = ("Q8_0", "Q4_K_M")


def ship(run: Path, console: Console) -> dict[str, Any]:
    """Exports the winner, and asks the first file the first question of the test; `gguf` and `sample` as JSON objects.

    `error` says what failed, with the command to run later.
    """
    try:
        done = export_winner(run, TYPES, console)
        first = done.files[0]
        item = _first_of_the_test(run)
        answer = _answer(first.path, item)
    except InputError as error:
        return {"error": f"{error}; then: evomerge-tui export {on_command_line(run)} --type {' '.join(TYPES)}"}
    question, wanted = str(item.fields["question"]), str(item.fields["answer"])
    shown = {"pictures": [str(picture.file) for picture in item.pictures]} if item.pictures else {}
    for picture in item.pictures:
        console.print(Text.assemble(("shown     ", "dim"), str(picture.file)), soft_wrap=True)
    console.print(Text.assemble(("asked     ", "dim"), one_line(question)))
    console.print(Text.assemble(("answered  ", "dim"), (one_line(answer), "bold"), (f"  (right: {wanted})", "dim")))
    console.print(Text(f"next: evomerge-tui chat {on_command_line(run)}"), soft_wrap=True)
    sample = {"file": str(first.path), **shown, "question": question, "answer": answer, "right": wanted}
    shipped: dict[str, Any] = {"gguf": [file.to_json() for file in done.files], "sample": sample}
    if done.eyes is not None:
        shipped["mmproj"] = done.eyes.to_json()
    suspect = [file.path for file in done.files if file.suspect]
    suspect += [done.eyes.path] if done.eyes is not None and done.eyes.failures else []
    return shipped | {"error": f"{suspect[0]}: failed verification"} if suspect else shipped


def _first_of_the_test(run: Path) -> Item:
    from evomerge_core.recipe.load import load_recipe
    from evomerge_core.run.run_folder.names import RECIPE
    from evomerge_core.run.setup import prepare

    return prepare(load_recipe(run / RECIPE), run).plan.asked["test"][0].item


def _answer(file: Path, item: Item) -> str:
    """The greedy answer, which is what the test scores."""
    from evomerge_quant.chat.chat import Reply, open_chat
    from evomerge_quant.chat.conversation import Conversation

    with open_chat(file) as chat:
        pictures = [picture.read() for picture in item.pictures]
        asked = Conversation.begin(None).plus("user", str(item.fields["question"]), pictures)
        parts = list(chat.reply(asked, chat.sampling.changed(temperature=0.0), Event()))
    reply = parts[-1]
    assert isinstance(reply, Reply)
    return reply.text
