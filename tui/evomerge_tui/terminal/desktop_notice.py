"""A notice on the desktop, through the terminal: it reaches the person where they are, over SSH too."""

from __future__ import annotations

from collections.abc import Mapping

from evomerge_core.visible_text import visible_line

_TITLE = "evomerge-tui"
_LONGEST = 200
# Terminals that know the one sequence and write out, or take for something else, the other.
_BY_777 = ("rxvt", "foot", "contour")


def notice_sequence(text: str, environment: Mapping[str, str]) -> str:
    """What makes the terminal show a text: OSC 9 (iTerm2, kitty, WezTerm, Ghostty, Windows Terminal), or OSC 777 in those of
    VTE, rxvt and foot. Others pass over it. Nothing in the text can end the sequence or begin a part of it."""
    shown = visible_line(text, most=_LONGEST).replace(";", ",")
    if "VTE_VERSION" in environment or environment.get("TERM", "").startswith(_BY_777):
        return f"\x1b]777;notify;{_TITLE};{shown}\x1b\\"
    return f"\x1b]9;{_TITLE}: {shown}\x07"
