"""The screens in a real browser of a phone's size and a laptop's: a run and a candidate open, title and keys are there."""

from __future__ import annotations

import asyncio
import re
import resource
import shlex
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Page, WebSocket, async_playwright

from evomerge_tui.processes.serving import CLOSING_SECONDS, TokenServer
from support.pictured import DATA

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_HAS_ROOM = resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
_SECONDS = 60.0
_PHONE = (390, 844)
_PHONE_ROW = 16  # pixels
_ESCAPES = re.compile(r"\x1b(\[[0-9;?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][0-9A-B]|[=>])")
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium or Chrome (`apt-get install chromium`)"),
    pytest.mark.skipif(not _HAS_ROOM, reason="a browser takes more addresses than this shell's `ulimit -v` gives"),
]


@pytest.fixture
async def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Where the screens are served, in a folder with the quickstart's run, by the name that isn't the server's own."""
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    (tmp_path / "state" / "evomerge-tui").mkdir(parents=True)
    shutil.copytree(DATA / "quickstart", tmp_path / "place" / "quickstart")
    monkeypatch.chdir(tmp_path / "place")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = TokenServer(shlex.join([sys.executable, "-P", "-m", "evomerge_tui"]), port)
    runner = web.AppRunner(await server.make_app(), shutdown_timeout=CLOSING_SECONDS)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield server.address.replace("localhost", "127.0.0.1")
    await runner.cleanup()


class Screen:
    """What the terminal in a page was sent: its letters are drawn on a canvas, which can't be read."""

    def __init__(self, page: Page) -> None:
        self._sent = ""
        page.on("websocket", self._listen)

    def _listen(self, opened: WebSocket) -> None:
        opened.on("framereceived", self._take)

    def _take(self, frame: str | bytes) -> None:
        text = frame if isinstance(frame, str) else frame.decode(errors="replace")
        self._sent += _ESCAPES.sub("", text)

    def has(self, *texts: str) -> bool:
        """Whether these have come since something was waited for."""
        return all(text in self._sent for text in texts)

    async def until_sent(self, *texts: str) -> None:
        """Waits until these have come since the last call."""
        deadline = time.monotonic() + _SECONDS
        while not self.has(*texts):
            lacking = [text for text in texts if text not in self._sent]
            assert time.monotonic() < deadline, f"{lacking} not among what was sent:\n{self._sent[-3000:]}"
            await asyncio.sleep(0.05)
        self._sent = ""


async def test_keys_open_a_run_and_a_candidate(address: str) -> None:
    """Without a click before: the terminal has the keys from the start."""
    async with _page(address, 1280, 800) as (page, screen):
        await screen.until_sent("quickstart", "finished", "Help", "New run")
        await page.keyboard.press("Enter")
        await screen.until_sent("on the test", "Export", "Help")
        await page.keyboard.press("2")
        await page.keyboard.press("Enter")
        await screen.until_sent("Dataset", "Correct answer")
        assert await page.title() == "evomerge-tui"


async def test_taps_open_a_run_and_a_candidate_on_a_phone(address: str) -> None:
    """A double tap on the run's row; a tap gives the terminal a phone's keyboard, too."""
    async with _page(address, *_PHONE) as (page, screen):
        await screen.until_sent("quickstart", "finished", "Help", "New run")
        while not screen.has("on the test", "2 Candidates", "Help"):
            for _ in range(2):
                await page.touchscreen.tap(150, 5.5 * _PHONE_ROW)
            await asyncio.sleep(1)
        await page.keyboard.press("2")
        await page.keyboard.press("Enter")
        await screen.until_sent("1 Items", "3 Recipe", "Help")
        assert await page.title() == "evomerge-tui"


@asynccontextmanager
async def _page(address: str, width: int, height: int) -> AsyncIterator[tuple[Page, Screen]]:
    """The address in a window of that size, CSS pixels; a narrow one is a phone's, which has a touch screen and no mouse."""
    is_phone = width < 600
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context(viewport={"width": width, "height": height}, has_touch=is_phone, is_mobile=is_phone)
        page = await context.new_page()
        screen = Screen(page)
        await page.goto(address)
        assert await page.title() == "evomerge-tui"
        yield page, screen
        await browser.close()
