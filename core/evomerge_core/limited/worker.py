"""`python -m evomerge_core.limited.worker`: answers requests, a line of JSON each, until its standard input closes.

What takes too long ends the process, wherever it is: Python can't stop a match or a product of texts on the way.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from evomerge_core.limited.jinja_rendering import check, render
from evomerge_core.limited.limits import MEMORY, MEMORY_STATUS, SECONDS, TOO_MUCH
from evomerge_core.limited.matching import compile_fault, last_match, matches_whole
from evomerge_core.visible_text import visible_line

_WORK: Mapping[str, Callable[..., Any]] = {
    "check": check,
    "render": render,
    "compile_fault": compile_fault,
    "last_match": last_match,
    "matches_whole": matches_whole,
}
_LONGEST_REASON = 300
# What no template needs; Jinja's sandbox lets none of it come so far.
_REFUSED = ("open", "import", "socket.", "subprocess.", "os.", "shutil.", "ctypes.", "mmap.", "winreg.")


def main() -> None:
    """Answers until there are no more requests."""
    _limit_memory()
    _warm_up()
    sys.addaudithook(_refuse)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        sys.stdout.buffer.write(json.dumps(_answer(request["work"], request["arguments"])).encode() + b"\n")
        sys.stdout.buffer.flush()


def _answer(work: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    _start_clock()
    try:
        return {"found": _WORK[work](**arguments)}
    except MemoryError:
        return {"refused": TOO_MUCH}
    except Exception as error:  # noqa: BLE001 - whatever a stranger's template raises is its own fault
        return {"refused": visible_line(" ".join(str(error).split()) or type(error).__name__, most=_LONGEST_REASON)}
    finally:
        _stop_clock()


def _start_clock() -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
    else:
        faulthandler.dump_traceback_later(SECONDS, exit=True)


def _stop_clock() -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, 0)
    else:
        faulthandler.cancel_dump_traceback_later()


def _limit_memory() -> None:
    """Linux refuses what is beyond the limit; elsewhere the process looks at itself."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        return
    import psutil

    threading.Thread(target=_watch_memory, args=(psutil.Process(),), daemon=True).start()


def _watch_memory(process: Any) -> None:
    while process.memory_info().rss < MEMORY:
        time.sleep(0.02)
    os._exit(MEMORY_STATUS)


def _warm_up() -> None:
    """Has everything imported that a template may need, errors included."""
    render("{{ strftime_now('%d %b %Y') }}{{ x | tojson }}", {"x": {}})
    for template in ("{{ raise_exception('x') }}", "{% x"):
        _answer("render", {"template": template, "variables": {}})


def _refuse(event: str, _: Any) -> None:
    if event.startswith(_REFUSED):
        raise PermissionError(f"a template may not {event}")


if __name__ == "__main__":
    main()
