"""A screen's SVG as a PNG, sign for sign on the terminal's grid, by `rsvg-convert` (librsvg).

librsvg knows no `textLength` and drops leading spaces: so every run of letters, and every other sign, gets its own place.
"""

from __future__ import annotations

import html
import re
import subprocess
from pathlib import Path

_TEXT = re.compile(r'<text class="([\w-]+)" x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)" clip-path="([^"]+)">([^<]*)</text>')
_RUN = re.compile(r"[!-~]+|[^!-~\s]")
_FONT = "DejaVu Sans Mono, DejaVu Sans, Noto Sans Mono CJK JP, monospace"


def write_png(svg: str, path: Path, *, zoom: float = 1.0) -> None:
    """Draws an SVG that rich has exported."""
    placed = _TEXT.sub(_place, svg).replace("Fira Code", _FONT)
    done = subprocess.run(["rsvg-convert", "-z", str(zoom), "-o", str(path)], input=placed.encode(), capture_output=True)
    if done.returncode:
        raise RuntimeError(done.stderr.decode())


def _place(match: re.Match[str]) -> str:
    from rich.cells import cell_len

    name, x, y, length, clip, content = match.groups()
    text = html.unescape(content)
    cell = float(length) / max(1, len(text))
    parts = (
        f'<text class="{name}" x="{float(x) + cell * cell_len(text[: run.start()]):.1f}" y="{y}" clip-path="{clip}">'
        f"{html.escape(run.group())}</text>"
        for run in _RUN.finditer(text)
    )
    return "".join(parts)
