"""The screens' side of the planner: starts its process, asks, and ends it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from typing import Any

from evomerge_core.errors import InputError

# A preview of long items is one line.
_LINE_BYTES = 2**26
_ENDED = "the planner has ended; try again, or restart evomerge-tui"


class Planner:
    """Asks the planner's process; starts it with the first question, and again when it has ended."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count()
        self._starting = asyncio.Lock()

    async def ask(self, name: str, **parameters: Any) -> Any:
        """The answer to a question of `planner.questions`. Raises InputError with what the planner says is wrong."""
        async with self._starting:
            process = await self._started()
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps({"id": number, "ask": name, **parameters}).encode() + b"\n")
            await process.stdin.drain()
            return await answer
        except (BrokenPipeError, ConnectionResetError):
            raise InputError(_ENDED) from None
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """Ends the process; questions that still wait for an answer are cancelled."""
        for waiting in self._waiting.values():
            waiting.cancel()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await self._reading

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "evomerge_tui.processes.planner.process",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=_LINE_BYTES,
                env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            )
            self._reading = asyncio.create_task(self._read(self._process))
        return self._process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            reply = json.loads(line)
            waiting = self._waiting.get(reply["id"])
            if waiting is None or waiting.done():
                continue
            if "error" in reply:
                waiting.set_exception(InputError(reply["error"]))
            else:
                waiting.set_result(reply["answer"])
        await process.wait()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(InputError(_ENDED))
