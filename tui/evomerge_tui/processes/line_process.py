"""Commands that report progress line by line, in a process of their own that ends with the iteration over its lines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from evomerge_core.errors import InputError
from evomerge_tui.processes.child_commands import command_environment, command_line
from evomerge_tui.processes.priority import lower
from evomerge_tui.user.settings import Priority

_LINE_BYTES = 2**26
_END_SECONDS = 5.0


async def command_lines(words: Sequence[object], *, priority: Priority = "normal") -> AsyncIterator[dict[str, Any]]:
    """Runs `evomerge-tui WORDS --json` and yields each line's object as it is printed. Raises InputError with the command's own
    error. When the iteration is cancelled, the command is ended."""
    process = await asyncio.create_subprocess_exec(
        *command_line(words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LINE_BYTES,
        env=command_environment(words),
    )
    if priority == "low":
        lower(process.pid)
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            printed: dict[str, Any] = json.loads(line)
            if "error" in printed:
                raise InputError(printed["error"])
            yield printed
        if await process.wait() != 0:
            raise InputError(f"`evomerge-tui {words[0]}` ended with status {process.returncode}", remedy="run it in a terminal")
    finally:
        if process.returncode is None:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Asks the process to end, so that it can clean up; kills it if it doesn't."""
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _END_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
