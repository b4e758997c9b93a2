"""The screens in a browser: on this machine only, and only for people who know the token in the address.

textual-serve has no login, so everything lies below a path that can't be guessed. Each tab gets a process of its own.
"""

from __future__ import annotations

import secrets
import shlex
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp_jinja2
from aiohttp import web
from textual_serve.server import Server

from evomerge_core.errors import InputError

_TOKEN_BYTES = 24
_PAGES = Path(__file__).parent / "pages"
_FONT_SIZE = 16
# `localhost` may be the address of IPv6 alone.
_HOSTS = ("127.0.0.1", "localhost")
# An open tab's connection ends only with its process: after an interrupt nobody waits longer for it than this.
CLOSING_SECONDS = 2.0
_HEADERS = {
    # the address is the key: no other page may learn it, and this page loads no fonts from elsewhere
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'self' data: 'unsafe-inline' 'unsafe-eval'; connect-src 'self' ws://localhost:* ws://127.0.0.1:*",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class TokenServer(Server):
    """Serves `command` below `/TOKEN/` on localhost."""

    def __init__(self, command: str, port: int, token: str | None = None) -> None:
        super().__init__(command, host="localhost", port=port, title="evomerge-tui", templates_path=_PAGES)
        self.token = token or secrets.token_urlsafe(_TOKEN_BYTES)

    @property
    def address(self) -> str:
        """The address to open in the browser."""
        return f"{self.public_url}/{self.token}/"

    @aiohttp_jinja2.template("app_index.html")
    async def handle_index(self, request: web.Request) -> dict[str, Any]:
        """The page, which loads everything by the name that it was opened by: localhost or 127.0.0.1."""
        place = f"//{request.host}/{self.token}"
        return {
            "application": {"name": self.title},
            "config": {"static": {"url": "static/"}},
            "font_size": _FONT_SIZE,
            "app_websocket_url": f"ws:{place}/ws",
        }

    async def make_app(self) -> web.Application:
        """The web application; everything outside the token's path is not found."""
        screens = await self._make_app()
        screens.on_startup.clear()
        outer = web.Application(middlewares=[_only_here])
        outer.add_subapp(f"/{self.token}/", screens)
        return outer


@web.middleware
async def _only_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses requests for another host's name or from another page's script, which a browser would pass on."""
    host = request.host.rpartition(":")[0] or request.host
    origin = request.headers.get("Origin")
    if host not in ("localhost", "127.0.0.1") or (origin is not None and origin != f"http://{request.host}"):
        raise web.HTTPForbidden(text="only browsers on this machine are served")
    response = await handler(request)
    if not response.prepared:
        response.headers.update(_HEADERS)
    return response


def serve(port: int, *, unicode: bool, show: Callable[[str], None]) -> None:
    """Serves until it is interrupted; passes the address to `show`. Raises `InputError` when the port is taken."""
    words = [sys.executable, "-P", "-m", "evomerge_tui", *([] if unicode else ["--no-unicode"])]
    command = subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)
    server = TokenServer(command, port)
    show(server.address)
    try:
        web.run_app(
            server.make_app(),
            host=_HOSTS,
            port=port,
            print=None,
            access_log=None,
            shutdown_timeout=CLOSING_SECONDS,
        )
    except OSError as error:
        raise InputError(
            f"can't listen on this port ({error.strerror})", where=f"--port {port}", remedy="choose another"
        ) from error
