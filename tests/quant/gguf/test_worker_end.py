"""What a worker didn't read any more hides nothing: the process that asks goes on to say why it ended."""

from __future__ import annotations

import subprocess
import sys

import pytest

from evomerge_quant.gguf.worker import ask, end


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break in another way there")
def test_a_worker_that_ended_before_it_was_asked_leaves_its_last_lines_and_no_broken_pipe() -> None:
    line = [sys.executable, "-c", "print('out of paper')"]
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.wait()
    assert ask(process, "print this", "done: ") == (None, ["out of paper"])
    end(process)
    assert process.stdin is not None
    assert process.stdin.closed
