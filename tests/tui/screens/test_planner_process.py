"""The planner answers several questions at once, in threads of one process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.tiny_run import write_recipe

# Of one module of a library each, which imports nothing that another thread may be importing.
_LEAVES = ("transformers.models.", "transformers.generation.", "torch.masked")
_ASK = """
import json, sys
from pathlib import Path
import yaml
from evomerge_tui.processes.planner.process import load_libraries

question, recipe = sys.argv[1], Path(sys.argv[2])
data, folder = yaml.safe_load(recipe.read_text()), str(recipe.parent)
asked = {
    "check": {"data": data},
    "fit": {"reference": data["sources"][0], "base": data["base"]},
    "preview": {"task": data["tasks"][0], "splits": data["splits"], "base": data["base"]},
    "estimate": {"data": data},
    "preflight": {"data": data, "out": str(recipe.parent / "run")},
}[question]
load_libraries(question)
from evomerge_tui.processes.planner.questions import QUESTIONS

before = set(sys.modules)
QUESTIONS[question](**asked, folder=folder)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.mark.parametrize("question", ["check", "fit", "preview", "estimate", "preflight"])
def test_a_question_loads_libraries_before_others_can_meet_it(tmp_path: Path, question: str) -> None:
    command = [sys.executable, "-c", _ASK, question, str(write_recipe(tmp_path))]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = json.loads(answer.stdout.splitlines()[-1])
    assert [name for name in loaded if name.startswith(("torch", "transformers")) and not name.startswith(_LEAVES)] == []
