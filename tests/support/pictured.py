"""Every screen with real data that is always the same: a finished quickstart, what export and chat said of it.

The numbers are a real run's. What needs its models (gigabytes that no test has) is played back.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Footer

from evomerge_quant.chat.chat import Reply
from evomerge_quant.chat.conversation import Conversation
from evomerge_quant.chat.sampling import Sampling
from evomerge_quant.gguf.subject.export_paths import candidate_exports, winner_exports
from evomerge_tui.app import EvomergeApp
from evomerge_tui.machine.machine import Gpu, Machine
from evomerge_tui.screens import doctor
from evomerge_tui.screens.chat import chat
from evomerge_tui.screens.chat.composer import Composer
from evomerge_tui.screens.export import export
from evomerge_tui.talk.chat_thread import Answered, AnswerPiece, ChatEvent, ModelsOpened
from evomerge_tui.talk.loaded_model import ChatAnswer
from support.screen_tools import make_app, shown, table, until

DATA = Path(__file__).parents[1] / "tui" / "data"
_TURNS: list[dict[str, Any]] = json.loads((DATA / "chat.json").read_text(encoding="utf-8"))
SIZES = {"80x24": (80, 24), "120x40": (120, 40)}
with closing(sqlite3.connect(DATA / "quickstart" / "run.db")) as _store:
    # three hours after the run's last word
    NOW: float = _store.execute("SELECT MAX(at) + 3 * 3600 FROM events").fetchone()[0]
    WINNER: int = json.loads(_store.execute("SELECT value FROM facts WHERE key = 'winner'").fetchone()[0])
Show = Callable[[EvomergeApp, Pilot[int]], Awaitable[None]]
# a real machine, as `tests/benchmarks/picture_machine.py` read it
_READ: dict[str, Any] = json.loads((DATA / "machine.json").read_text(encoding="utf-8"))
_MISSING = sum(check["state"] == "missing" for check in _READ["doctor"]["checks"])


def prepare(folder: Path, patch: Any) -> Path:
    """Copies the run into a folder, stops the clock, and lays what is played back in place; gives the run's folder."""
    run = folder / "quickstart"
    shutil.copytree(DATA / "quickstart", run)
    winner, parent = winner_exports(run), candidate_exports(run, "arithmetic")
    for place, name in ((winner, "quickstart-v1.0-Q8_0"), (parent, "quickstart-arithmetic-v1.0-Q4_K_M")):
        place.mkdir(parents=True)
        (place / f"SmolLM2-135M-{name}.gguf").write_bytes(b"")
    patch.setattr(time, "time", lambda: NOW)
    patch.setattr(export, "command_lines", _export_lines)
    patch.setattr(doctor, "run_command", _doctor_command)
    patch.setattr(doctor, "terminal_checks", lambda: ())
    patch.setattr(chat, "ChatThread", _RecordedThread)
    return run


def app_in(place: Path, theme: str) -> EvomergeApp:
    """The app in the folder of the run."""
    return make_app(place, sense=recorded_machine, theme=theme, runs_folder=".")


def recorded_machine(_: Path) -> Machine:
    """The machine that was recorded, as if it were read now."""
    return Machine(**{**_READ["machine"], "at": time.time(), "gpus": tuple(Gpu(**gpu) for gpu in _READ["machine"]["gpus"])})


async def home(app: EvomergeApp, pilot: Pilot[int]) -> None:
    await until(pilot, lambda: "finished" in shown(app) and "RAM free" in shown(app) and "quickstart-dfs" in shown(app))


async def welcome(app: EvomergeApp, pilot: Pilot[int]) -> None:
    app.folder = app.folder / "quickstart" / "winner"
    await until(
        pilot, lambda: "Breed language models" in shown(app) and "RAM free" in shown(app) and "quickstart-dfs" in shown(app)
    )


async def dashboard(app: EvomergeApp, pilot: Pilot[int]) -> None:
    app.open_run(app.folder / "quickstart")
    await until(pilot, lambda: "on the test" in shown(app) and ("CPU" in shown(app) or app.size.width < 100))


async def candidate(app: EvomergeApp, pilot: Pilot[int]) -> None:
    from evomerge_tui.screens.candidate.candidate import CandidateScreen

    app.push_screen(CandidateScreen(app.folder / "quickstart", WINNER, [WINNER]))
    await until(pilot, lambda: table(app, "item-list").rows and "Correct answer:" in shown(app))


async def export_screen(app: EvomergeApp, pilot: Pilot[int]) -> None:
    app.open_export(app.folder / "quickstart")
    await until(pilot, lambda: "to be written" in shown(app))


async def chat_screen(app: EvomergeApp, pilot: Pilot[int]) -> None:
    app.open_chat(app.folder / "quickstart")
    await until(pilot, lambda: "context 8,192 tokens" in shown(app))
    await pilot.press("ctrl+o")
    await until(pilot, lambda: "Compare with" in shown(app) and "arithmetic" in shown(app))
    await pilot.press("down", "enter")
    await until(pilot, lambda: app.screen.has_class("-two"))
    composer = app.screen.query_one(Composer)
    composer.cursor_blink = False
    for number, turn in enumerate(_TURNS, start=1):
        composer.focus()
        composer.text = turn["prompt"]
        await pilot.press("enter")
        await until(pilot, lambda number=number: len(app.screen.query(".ending")) == 2 * number)


async def settings(app: EvomergeApp, pilot: Pilot[int]) -> None:
    app.action_settings()
    await until(pilot, lambda: "not set" in shown(app))
    app.screen.query_one("#settings-file").update("~/.config/evomerge-tui/settings.yaml")  # type: ignore[attr-defined]


async def doctor_screen(app: EvomergeApp, pilot: Pilot[int]) -> None:
    app.action_doctor()
    await until(pilot, lambda: f"{_MISSING} missing" in shown(app))


async def help_screen(app: EvomergeApp, pilot: Pilot[int]) -> None:
    await home(app, pilot)
    await pilot.press("question_mark")
    await until(pilot, lambda: "esc: close" in shown(app))


SCREENS: dict[str, Show] = {
    "home": home,
    "welcome": welcome,
    "dashboard": dashboard,
    "candidate": candidate,
    "export": export_screen,
    "chat": chat_screen,
    "settings": settings,
    "doctor": doctor_screen,
    "help": help_screen,
}


async def picture(place: Path, name: str, size: tuple[int, int], theme: str) -> tuple[str, str, set[str]]:
    """A screen as SVG and as text, and the names of the colours that it sends to the terminal."""
    app = app_in(place, theme)
    async with app.run_test(size=size) as pilot:
        await SCREENS[name](app, pilot)
        app.clear_notifications()
        await pilot.pause(0.2)
        # the keys at the foot are made anew when a run's state is known
        await until(pilot, lambda: not app.screen.query(Footer) or shown(app).split("\n")[-1].strip())
        return app.export_screenshot(title="evomerge-tui"), shown(app), _colours(app)


def _colours(app: EvomergeApp) -> set[str]:
    strips = app.screen._compositor.render_strips(app.size)
    styles = [segment.style for strip in strips for segment in strip if segment.style is not None]
    return {colour.name for style in styles for colour in (style.color, style.bgcolor) if colour is not None}


async def _export_lines(words: Sequence[object], **_: object) -> AsyncIterator[dict[str, Any]]:
    if "--plan" in words:
        yield json.loads((DATA / "export_plan.json").read_text())


def _doctor_command(_: Sequence[object], **__: object) -> dict[str, Any]:
    return dict(_READ["doctor"])


class _RecordedThread:
    """Says what the quickstart's winner and a parent once said, by llama.cpp at temperature 0."""

    def __init__(self, notify: Callable[[ChatEvent], None]) -> None:
        self._notify = notify

    def open_models(self, files: Sequence[Path], _system: str | None = None, _said: object = None) -> None:
        self._notify(ModelsOpened(tuple(files), Sampling(), 8192))

    def ask(self, text: str, _: object = ()) -> None:
        turn = next(known for known in _TURNS if known["prompt"] == text)
        answers = []
        for model, answer in enumerate(turn["answers"]):
            self._notify(AnswerPiece(model, answer))
            conversation = Conversation.begin(None).plus("user", text).plus("assistant", answer)
            tokens = turn["tokens"][model]
            seconds = tokens / turn["tokens_per_second"][model]
            answers.append(ChatAnswer(Reply(answer, conversation, tokens, seconds, 50, "end"), 0))
        self._notify(Answered(tuple(answers)))

    def run(self) -> None:
        return

    def close(self) -> None:
        return
