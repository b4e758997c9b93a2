"""The system's clipboard, through the program that the system has for it; terminals also get OSC 52."""

from __future__ import annotations

import shutil
import subprocess

from evomerge_core.files.child_environment import without_token

_PROGRAMS: tuple[tuple[str, ...], ...] = (
    ("pbcopy",),
    ("wl-copy",),
    ("xclip", "-selection", "clipboard"),
    ("xsel", "--clipboard", "--input"),
    ("clip.exe",),
)
_SECONDS = 2


def copy_to_system(text: str) -> bool:
    """Puts a text on the system's clipboard; False where there is none, as in most remote terminals."""
    for program in _PROGRAMS:
        if shutil.which(program[0]) is None:
            continue
        try:
            # xclip stays in the background and keeps its streams open: a pipe would never end
            quiet = subprocess.DEVNULL
            subprocess.run(
                program, input=text.encode(), check=True, timeout=_SECONDS, stdout=quiet, stderr=quiet, env=without_token()
            )
        except (subprocess.SubprocessError, OSError):
            # the program has no display to talk to: the next program may
            continue
        return True
    return False
