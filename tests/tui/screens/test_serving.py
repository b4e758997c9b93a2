"""The screens in a browser: for this machine, and only for who has the address."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from evomerge_tui.processes.serving import CLOSING_SECONDS, TokenServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server() -> AsyncIterator[TokenServer]:
    """A server that runs `cat` where the screens would be."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = TokenServer("cat", port)
    runner = web.AppRunner(await served.make_app(), shutdown_timeout=CLOSING_SECONDS)
    await runner.setup()
    await web.TCPSite(runner, "localhost", port).start()
    yield served
    await runner.cleanup()


async def status(url: str, **headers: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status


async def test_only_the_whole_address_opens_anything(server: TokenServer) -> None:
    root = server.address.replace(f"{server.token}/", "")
    assert await status(server.address) == 200
    assert await status(f"{server.address}static/js/textual.js") == 200
    for path in ("", "ws", "static/js/textual.js", "wrong/", f"{server.token[:-1]}/", "download/x"):
        assert await status(root + path) == 404, path


async def test_other_names_and_other_pages_are_refused(server: TokenServer) -> None:
    """A name that points here (DNS rebinding), and a script of another page on this machine."""
    assert await status(server.address, Host="evil.example:80") == 403
    assert await status(server.address, Origin="http://localhost:1") == 403
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(f"{server.address}ws", headers={"Origin": "http://evil.example"})
        async with session.ws_connect(f"{server.address}ws") as opened:
            assert not opened.closed


async def test_the_page_gives_its_address_to_nobody(server: TokenServer) -> None:
    async with aiohttp.ClientSession() as session, session.get(server.address) as answer:
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "'self'" in answer.headers["Content-Security-Policy"]
        assert f"ws://localhost:{server.port}/{server.token}/ws" in await answer.text()


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = {TokenServer("cat", 1).token for _ in range(100)}
    assert len(tokens) == 100
    assert min(len(token) for token in tokens) >= 32
