"""The UI in a terminal of its own, as a process: to be watched, typed into and killed."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

from evomerge_tui.user.user_paths import tour_path

_ESCAPES = re.compile(r"\x1b\[[0-9;?<>=$]*[a-zA-Z]|\x1b\][^\x07]*\x07|\x1b[()][A-Z0-9]|\x1b[=>78]")


class Terminal:
    """`evomerge-tui` in a pseudo terminal, its tour over. `said` is all that it has written, without escape sequences."""

    def __init__(
        self, folder: Path, *words: str, size: tuple[int, int] = (120, 40), before: Callable[[], None] | None = None
    ) -> None:
        tour_path().parent.mkdir(parents=True, exist_ok=True)
        tour_path().touch()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            if before is not None:
                before()
            os.execvpe(sys.executable, [sys.executable, "-m", "evomerge_tui", *words], {**os.environ, "TERM": "xterm-256color"})
        self.resize(size)
        self._raw = b""

    def resize(self, size: tuple[int, int]) -> None:
        """Another size: columns, rows."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    @property
    def said(self) -> str:
        return _ESCAPES.sub("", self._raw.decode(errors="replace"))

    def type(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        """Reads until a text was written after this call began."""
        start = len(self.said)
        self._read_until(lambda: text in self.said[max(0, start - len(text)) :], seconds, f"{text!r} was not shown")

    def wait_end(self, seconds: float = 30.0) -> int:
        """The exit status, once it has ended."""
        status: list[int] = []

        def ended() -> bool:
            pid, code = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                status.append(os.waitstatus_to_exitcode(code))
            return bool(pid)

        self._read_until(ended, seconds, "it did not end")
        return status[0]

    def _read_until(self, true: Callable[[], bool], seconds: float, problem: str) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                raise AssertionError(f"{problem} within {seconds} s; the end of what was: {self.said[-2000:]}")
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self._raw += os.read(self.fd, 65536)
                except OSError:
                    # the other side of the terminal is gone
                    time.sleep(0.05)
