"""Names and answers may hold anything: it is shown as text, and breaks nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from evomerge_core.run.run_folder.folder import create_folder, open_store
from evomerge_core.run.store.records import Evaluation, ItemScore
from evomerge_tui.screens.candidate.candidate import CandidateScreen
from evomerge_tui.text.shown_text import many_lines, one_line
from support.screen_tools import make_app, shown, table, until

STRANGE = {
    "markup": "[bold red]not bold[/] [/nonsense] [link=file:///etc/passwd]x[/link] \\[",
    "control characters": "bell\x07 escape\x1b[31mred\x1b[0m \x1b]0;title\x07 null\x00 delete\x7f \x9b31m",
    "emoji": "👩‍🔬🧬👍🏽🇯🇵 family 👨‍👩‍👧‍👦",
    "right to left": "‮evil‬ עברית العربية \u2066isolate\u2069",
    "a long line": "x" * 4000,
    "line breaks": "one\r\ntwo\rthree\u2028four\x0bfive",
    "surrogates and odd spaces": "\ud800 \u200b \ufeff \u00ad",
}


def make_run(folder: Path, text: str) -> Path:
    """A run in which everything that may be data is that text."""
    create_folder(folder, "evomerge: 1\nname: strange\n", {})
    store = open_store(folder)
    encoded = text.encode("utf-8", "replace").decode()
    store.set_facts(state="failed", message=encoded, precision="nf4", weights={encoded: 1.0}, items={"search": 2})
    dimension = {"parameter": "weight", "source": encoded, "group": encoded, "low": 0.0, "high": 2.0, "start": 1.0}
    store.set_facts(dimensions=[dimension], sigma=0.1)
    for kind, label, generation in (("parent", encoded, None), ("search", f"g1 {encoded}", 0)):
        one = store.add_candidate(kind, label, generation=generation, position=generation, genome=[0.5])
        items = [ItemScore(encoded, f"{number} {encoded}", 1.0, 0.5, False, True, 3, encoded) for number in range(2)]
        store.save_evaluation(one.id, "search", "nf4", Evaluation(1.0, 0.5, None, 1.0, 6), items)
    failed = store.add_candidate("search", f"g2 {encoded}", generation=0, position=1, genome=[0.5])
    store.save_evaluation(failed.id, "search", "nf4", Evaluation(None, None, encoded, 1.0, 0), [])
    store.add_event("failed", message=encoded)
    store.close()
    return folder


@pytest.mark.anyio
@pytest.mark.parametrize("kind", STRANGE)
async def test_every_screen_shows_it(kind: str, tmp_path: Path) -> None:
    run = make_run(tmp_path / "strange", STRANGE[kind])
    app = make_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "failed" in shown(app))
        app.open_run(run)
        await until(pilot, lambda: len(table(app, "candidate-list").rows) == 3)
        await pilot.press("o", "end", "home")
        app.push_screen(CandidateScreen(run, 2, [2]))
        await until(pilot, lambda: table(app, "item-list").rows)
        await pilot.press("2", "3", "1")
        app.tell(STRANGE[kind].encode("utf-8", "replace").decode(), "error")
        await pilot.pause(0.3)
        for line in app.screen._compositor.render_strips(app.size):
            text = "".join(segment.text for segment in line)
            assert not any(sign < " " or "\x7f" <= sign < "\xa0" for sign in text), repr(text)
            assert line.cell_length == 120


@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_shown_has_no_control_characters(kind: str) -> None:
    assert one_line(STRANGE[kind]).isprintable() or kind == "emoji"
    assert len(one_line(STRANGE[kind])) <= 4 * 400
    for line in many_lines(STRANGE[kind]).split("\n"):
        assert not any(sign < " " or "\x7f" <= sign < "\xa0" for sign in line)


def test_plain_text_stays_as_it_is() -> None:
    text = "答えは 4 です。 größe naïve 🧬"
    assert one_line(text) == text
    assert many_lines(f"{text}\n{text}") == f"{text}\n{text}"
