"""Chat: a real GGUF answers in the screen, stops on escape, is compared blind, and votes are kept."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from textual.widgets import Input

from evomerge_quant.gguf.subject.export_paths import candidate_exports
from evomerge_tui.app import EvomergeApp
from evomerge_tui.screens.chat.answers import AnswerColumn
from evomerge_tui.screens.chat.chat import ChatScreen
from evomerge_tui.screens.chat.composer import Composer
from evomerge_tui.talk.chat_history import recall_chat
from evomerge_tui.talk.votes import new_vote, read_votes, tally
from support import tiny_gguf
from support.screen_tools import click_text, make_app, shown, until

pytestmark = pytest.mark.anyio
Finished = tuple[Path, "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF of a tiny random model."""
    place = tmp_path_factory.mktemp("gguf")
    folder = tiny_gguf.save_folder(place / "model")
    return tiny_gguf.write_gguf(folder, place / "tiny.gguf")


@pytest.fixture
def run(finished: Finished, tiny_file: Path, tmp_path: Path) -> Path:
    """A finished run whose winner has a file, and so has one parent."""
    copy = Path(shutil.copytree(finished[0], tmp_path / "run"))
    for place, name in ((copy / "winner" / "gguf", "winner.gguf"), (candidate_exports(copy, "first"), "first.gguf")):
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny_file, place / name)
    return copy


async def say(pilot: object, app: object, text: str) -> None:
    app.screen.query_one(Composer).text = text  # type: ignore[attr-defined]
    app.screen.query_one(Composer).focus()  # type: ignore[attr-defined]
    await pilot.press("enter")  # type: ignore[attr-defined]


async def test_keys_ask_and_stop_and_leave(run: Path, tmp_path: Path) -> None:
    # large enough to write for long: the key is to come before the answer's end
    sizes = {"hidden_size": 1024, "intermediate_size": 4096, "max_position_embeddings": 8192}
    folder = tiny_gguf.save_folder(tmp_path / "endless", endless=True, **sizes)
    tiny_gguf.write_gguf(folder, run / "winner" / "gguf" / "winner.gguf")
    app = make_app(run.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_chat(run)
        await until(pilot, lambda: "context" in shown(app))
        await pilot.press("ctrl+g")
        await until(pilot, lambda: app.screen.query("#value-max_tokens"))
        longest = app.screen.query_one("#value-max_tokens", Input)
        assert longest.value == "1024"
        longest.value = "10000000"
        await click_text(pilot, "Use")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        for key in ("h", "i", "ctrl+j", "t", "question_mark"):
            await pilot.press(key)
        assert app.screen.query_one(Composer).text == "hi\nt?"
        app.simulate_key("enter")
        while not app.screen.query(".asked"):
            await asyncio.sleep(0)
        app.simulate_key("escape")
        await until(pilot, lambda: "tokens/s, stopped" in shown(app))
        await pilot.press("ctrl+g")
        await until(pilot, lambda: app.screen.query("#value-max_tokens"))
        assert app.screen.query_one("#value-max_tokens", Input).value == "10000000"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, ChatScreen))


async def test_an_answer_that_ends_before_its_first_word_leaves_the_screen_alive(run: Path) -> None:
    app = make_app(run.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_chat(run)
        await until(pilot, lambda: "context" in shown(app))
        column = app.screen.query_one("#left", AnswerColumn)
        await column.begin("hi")
        await column.end(None)
        await until(pilot, lambda: "no answer" in shown(app))


async def test_two_models_are_compared_blind_and_the_vote_is_kept(run: Path) -> None:
    app = make_app(run.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_chat(run)
        await until(pilot, lambda: "context" in shown(app))
        await pilot.press("ctrl+b", "ctrl+o")
        await click_text(pilot, "first")
        await until(pilot, lambda: app.screen.has_class("-two") and "context" in shown(app))
        assert "first.gguf" not in shown(app)
        assert "winner.gguf" not in shown(app)
        await say(pilot, app, "the cat")
        await until(pilot, lambda: app.screen.has_class("-votable"), 120)
        await click_text(pilot, "Right (F3)")
        await until(pilot, lambda: read_votes(run))
        (vote,) = read_votes(run)
        assert vote.choice == "right"
        assert vote.blind
        assert {vote.left, vote.right} == {"first.gguf", "winner.gguf"}
        assert vote.prompt == "the cat"
        await pilot.press("ctrl+b")
        await until(pilot, lambda: "first.gguf" in shown(app) and "winner.gguf" in shown(app))


def _told(app: EvomergeApp) -> str:
    return " ".join(notification.message for notification in app._notifications)


async def test_a_dropped_picture_is_shown_and_a_text_model_says_that_it_sees_none(run: Path, tmp_path: Path) -> None:
    picture = tmp_path / "a red one.png"
    Image.new("RGB", (40, 20), "red").save(picture)
    app = make_app(run.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_chat(run)
        await until(pilot, lambda: "context" in shown(app))
        await say(pilot, app, f"/image {tmp_path / 'none.png'}")
        await until(pilot, lambda: "no such picture" in _told(app))
        await say(pilot, app, f"'{picture}'")
        await until(pilot, lambda: "Shown with the next message" in _told(app))
        assert not app.screen.query(".asked")
        await say(pilot, app, "what is it?")
        await until(pilot, lambda: "can't see pictures" in _told(app) and "no answer" in shown(app))
        assert "\N{UPPER HALF BLOCK}" * 36 in shown(app)
        await say(pilot, app, "the cat sat")
        await until(pilot, lambda: "tokens/s" in shown(app))


async def test_without_a_file_the_export_is_offered(finished: Finished) -> None:
    app = make_app(finished[0].parent)
    async with app.run_test(size=(80, 24)) as pilot:
        app.open_chat(finished[0])
        await until(pilot, lambda: "no GGUF file to chat with" in shown(app))
        await click_text(pilot, "Export the winner")
        await until(pilot, lambda: "Q4_K_M" in shown(app))


async def test_a_file_that_is_none_is_reported(run: Path) -> None:
    (run / "winner" / "gguf" / "winner.gguf").write_bytes(b"GGUF no more")
    app = make_app(run.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_chat(run)
        await until(pilot, lambda: "winner.gguf" in app.last_message)


def test_votes_are_counted_between_the_same_two_files_only() -> None:
    votes = [
        new_vote("p", ("a", "b"), ("x", "y"), "left", blind=True),
        new_vote("p", ("b", "a"), ("x", "y"), "left", blind=True),
        new_vote("p", ("b", "a"), ("x", "y"), "tie", blind=False),
        new_vote("p", ("a", "c"), ("x", "y"), "left", blind=False),
    ]
    assert tally(votes, ("a", "b")) == {"a": 1, "b": 1, "tie": 1}


def test_a_vote_that_was_cut_off_loses_only_itself(tmp_path: Path) -> None:
    whole = json.dumps(
        {"at": 1.0, "prompt": "p", "left": "a", "right": "b", "answers": ["x", "y"], "choice": "tie", "blind": True}
    )
    (tmp_path / "votes.jsonl").write_text(f'{whole}\n{{"at": 2.0, "pro')
    assert [vote.choice for vote in read_votes(tmp_path)] == ["tie"]


async def test_a_conversation_goes_on_the_next_time_until_it_is_cleared(run: Path) -> None:
    file = run / "winner" / "gguf" / "winner.gguf"
    app = make_app(run.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_chat(run)
        await until(pilot, lambda: "context" in shown(app))
        await say(pilot, app, "w1 w2")
        await until(pilot, lambda: recall_chat(file) is not None)
    again = make_app(run.parent)
    async with again.run_test(size=(120, 40)) as pilot:
        again.open_chat(run)
        await until(pilot, lambda: "w1 w2" in shown(again) and "from the last time" in shown(again))
        await pilot.press("ctrl+l")
        await until(pilot, lambda: "w1 w2" not in shown(again) and recall_chat(file) is None)


async def test_nothing_is_kept_where_the_settings_say_so(run: Path) -> None:
    app = make_app(run.parent, chat_history=False)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_chat(run)
        await until(pilot, lambda: "context" in shown(app))
        await say(pilot, app, "w1 w2")
        await until(pilot, lambda: "tokens/s" in shown(app))
        await pilot.pause(0.2)
    assert recall_chat(run / "winner" / "gguf" / "winner.gguf") is None


async def test_a_preset_fills_the_settings_in(run: Path) -> None:
    app = make_app(run.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_chat(run)
        await until(pilot, lambda: "context" in shown(app))
        await pilot.press("ctrl+g")
        await until(pilot, lambda: app.screen.query("#value-temperature"))
        await pilot.press("shift+tab", "enter", "down", "enter")
        await until(pilot, lambda: app.screen.query_one("#value-temperature", Input).value == "0")
        assert app.screen.query_one("#value-top_k", Input).value == "0"
        assert app.screen.query_one("#value-max_tokens", Input).value == "1024"
