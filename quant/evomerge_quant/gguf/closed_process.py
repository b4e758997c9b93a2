"""A process that reads a stranger's model: it runs no Python but what is installed, and has no network.

Python's audit events (PEP 578) report every import, `exec`, opened file, connection and started program before it happens; an
error in the hook prevents it, and a hook can't be removed. This guards against libraries that run what a
model's files name, not against machine code.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import CodeType
from typing import Any

REFUSED = "refused: "
_HUB_VARIABLES = ("HF_", "HUGGING")
_HUB_PLACES = ("HF_HOME", "HF_MODULES_CACHE")
_PYTHON_FILES = (".py", ".pyc", ".pyw", ".pyo")
_NETWORK = frozenset(
    {
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.getnameinfo",
        "socket.sendmsg",
        "socket.sendto",
    }
)
_PROGRAMS = frozenset(
    {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "os.system", "subprocess.Popen"}
)


class ClosedProcess:
    """What this process may run, from now on.

    `allowed` are folders of Python besides the installed packages. What lies below the working folder, or below a folder given
    to `distrust`, is not run, unless it belongs to a folder of installed packages there.
    """

    def __init__(self, *allowed: Path) -> None:
        self._distrusted = _folders((str(Path.cwd()), _hub_modules()))
        packages = [entry for entry in sys.path if Path(entry).is_absolute()]
        # PYTHONPATH may hold the working folder, as an empty entry, and what transformers has fetched.
        installed = _folders(packages) - self._distrusted | _folders(_installed())
        self._trusted = installed | _folders(str(folder) for folder in (*_own_packages(), *allowed))
        self._checks: Mapping[str, Callable[..., None]] = {
            **dict.fromkeys(_NETWORK, self._refuse_network),
            **dict.fromkeys(_PROGRAMS, self._refuse_program),
            "compile": self._check_source,
            "ctypes.dlopen": self._check_library,
            "exec": self._check_code,
            "import": self._check_extension,
            "open": self._check_opened,
            "pickle.find_class": self._refuse_pickle,
        }
        sys.addaudithook(self._hear)

    def distrust(self, folder: Path) -> None:
        """From now on nothing runs that lies in this model folder, even where that lies among packages."""
        self._distrusted |= _folders((str(folder), os.path.realpath(folder)))

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        check = self._checks.get(event)
        if check is not None:
            check(*arguments)

    def _check_code(self, code: object = None, *_: object) -> None:
        if isinstance(code, CodeType):
            self._require_trusted(code.co_filename)

    def _check_source(self, _: object = None, filename: object = None, *__: object) -> None:
        self._require_trusted(filename)

    def _check_extension(self, _: object = None, filename: object = None, *__: object) -> None:
        # Only compiled extensions are imported with a file's name; the others are seen as they are executed.
        self._require_trusted(filename)

    def _check_opened(self, path: object = None, *_: object) -> None:
        # A .pyc without its source may claim to come from anywhere.
        name = _text(path)
        if name is not None and name.lower().endswith(_PYTHON_FILES):
            self._require_trusted(name)

    def _check_library(self, name: object = None, *_: object) -> None:
        # The system's libraries lie anywhere.
        path = _text(name)
        if path is not None and os.path.dirname(path) and not self._is_trusted(path, of_system=True):  # noqa: PTH120
            _refuse(f"{path}: a library from a model's folder is never loaded")

    def _require_trusted(self, filename: object) -> None:
        path = _text(filename)
        # Names such as <string> belong to code that an installed package generates.
        if path is not None and not path.startswith("<") and not self._is_trusted(path):
            _refuse(f"{path}: Python that isn't installed is never run here")

    def _is_trusted(self, path: str, *, of_system: bool = False) -> bool:
        """The nearest folder that is trusted or distrusted decides."""
        folder = _plain(path)
        while True:
            if folder in self._trusted:
                return True
            above = os.path.dirname(folder)  # noqa: PTH120
            if folder in self._distrusted or above == folder:
                return of_system and folder not in self._distrusted
            folder = above

    def _refuse_network(self, *arguments: object) -> None:
        named = [_text(argument) or str(argument) for argument in arguments if isinstance(argument, str | bytes | tuple)]
        _refuse(f"{named[0] if named else 'a socket'}: a process that reads a model has no network")

    def _refuse_program(self, program: object = None, *_: object) -> None:
        _refuse(f"{_text(program) or 'a program'}: a process that reads a model starts no programs")

    def _refuse_pickle(self, module: object = None, name: object = None, *_: object) -> None:
        _refuse(f"{module}.{name}: a process that reads a model opens no pickles")


def closed_environment() -> dict[str, str]:
    """This process's environment without the hub: no token, neither here nor in the home folder, and no way to ask it."""
    kept = {name: value for name, value in os.environ.items() if name in _HUB_PLACES or not name.startswith(_HUB_VARIABLES)}
    # A relative entry (an empty one is the working folder) would let modules be imported from a model's folder.
    path = os.pathsep.join(entry for entry in kept.pop("PYTHONPATH", "").split(os.pathsep) if Path(entry).is_absolute())
    return {
        **kept,
        **({"PYTHONPATH": path} if path else {}),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_TOKEN_PATH": str(Path(__file__).with_name("no_token")),  # there is no such file
    }


def refused_line(output: Iterable[str]) -> str | None:
    """What a process was refused first, by its output; None when it was refused nothing."""
    return next((line.removeprefix(REFUSED) for line in output if line.startswith(REFUSED)), None)


def _refuse(what: str) -> None:
    # Printed at once, on a line of its own, because libraries may report the error as something else.
    os.write(2, f"\n{REFUSED}{what}\n".encode(errors="replace"))
    raise PermissionError(what)


def _installed() -> Iterable[str]:
    yield from (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    yield from site.getsitepackages()
    if site.ENABLE_USER_SITE:
        yield site.getusersitepackages()


def _hub_modules() -> str:
    """Where transformers keeps the code of models that it has fetched."""
    home = os.environ.get("HF_HOME") or str(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    return str(Path(os.environ.get("HF_MODULES_CACHE") or f"{home}/modules").expanduser())


def _own_packages() -> Iterable[Path]:
    import evomerge_core
    import evomerge_quant

    return (Path(package.__file__ or "").parent for package in (evomerge_core, evomerge_quant))


def _folders(paths: Iterable[str]) -> set[str]:
    return {_plain(path) for path in paths}


def _plain(path: str) -> str:
    return os.path.normcase(os.path.abspath(path))  # noqa: PTH100


def _text(value: object) -> str | None:
    return os.fsdecode(value) if isinstance(value, str | bytes | os.PathLike) else None
