"""Standard input that only its reader meets."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os
from evomerge_core.own_input import take_input
own = take_input()
print(os.read(0, 100), os.read(own, 100), os.read(own, 100))
"""


def test_requests_are_read_while_everybody_else_finds_an_empty_input() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], input="a request\n", capture_output=True, text=True, check=True)
    assert done.stdout == "b'' b'a request\\n' b''\n"
