"""The README's pictures of the screens: `python tests/benchmarks/screen_pictures.py docs`.

Needs librsvg (`rsvg-convert`) and a font with Japanese characters (Noto Sans Mono CJK JP).
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(Path(__file__).parent)]
PICTURES = ("home", "dashboard", "candidate", "export", "chat")


def main() -> None:
    from svg_to_png import write_png

    from support.pictured import picture, prepare

    out = Path(sys.argv[1]).absolute()
    out.mkdir(parents=True, exist_ok=True)
    for name in PICTURES:
        with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
            os.environ["XDG_STATE_HOME"] = os.environ["XDG_CONFIG_HOME"] = place
            os.environ["TZ"] = "UTC"
            prepare(Path(place), patch)
            patch.chdir(place)
            svg, _, _ = asyncio.run(picture(Path(place), name, (120, 40), "dark"))
        write_png(svg, out / f"{name}.png")
        print(out / f"{name}.png")


if __name__ == "__main__":
    main()
