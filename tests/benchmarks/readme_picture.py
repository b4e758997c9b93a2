"""The README's picture, drawn from a finished run: `python tests/benchmarks/readme_picture.py RUN docs/quickstart.svg`."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

from rich.console import Console

from evomerge_core.run.progress import read_progress
from evomerge_tui.result import result_tables
from evomerge_tui.watch import display


def main() -> None:
    run, out = Path(sys.argv[1]), Path(sys.argv[2])
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    console.print(display(read_progress(run)))
    console.print()
    result = json.loads((run / "winner" / "result.json").read_text(encoding="utf-8"))
    console.print(result_tables({**result, "files": {}}))
    out.parent.mkdir(parents=True, exist_ok=True)
    console.save_svg(str(out), title="evomerge-tui quickstart")


if __name__ == "__main__":
    main()
