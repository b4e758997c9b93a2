"""Records this machine for the screens of snapshots and pictures: `python tests/benchmarks/picture_machine.py`.

Writes `tests/tui/data/machine.json`: the machine as the screens read it over two seconds, and what `evomerge-tui doctor` finds
in an empty folder, both without this machine's paths. Nothing in it is made up: to show a check that fails, run this in a
virtual environment that lacks something, such as bitsandbytes. Then take the snapshots anew.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from evomerge_tui.machine.machine import read_machine

DATA = Path(__file__).parents[1] / "tui" / "data" / "machine.json"
_SECONDS = 2.0


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        read_machine(Path(place))
        time.sleep(_SECONDS)
        machine = dataclasses.asdict(read_machine(Path(place)))
        del machine["at"]
        done = subprocess.run(
            [sys.executable, "-P", "-m", "evomerge_tui", "doctor", "--json"],
            cwd=place,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=True,
        )
        found = done.stdout.replace(place, "~/runs").replace(str(Path.home()), "~")
    record = {"machine": machine, "doctor": json.loads(found)}
    DATA.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
