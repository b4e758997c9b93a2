"""The planner answers several questions at once, in threads of one process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.tiny_run import write_recipe

# Modules of a library that import nothing which another thread may be importing.
_LEAVES = ("transformers.models.", "transformers.generation.", "torch.masked")
_ASK = """
import json, sys
from pathlib import Path
import yaml
from evomerge_tui.processes.planner.process import load_libraries

recipe, *questions = Path(sys.argv[1]), *sys.argv[2:]
data, folder = yaml.safe_load(recipe.read_text()), str(recipe.parent)
asked = {
    "check": {"data": data},
    "fit": {"reference": data["sources"][0], "base": data["base"]},
    "preview": {"task": data["tasks"][0], "splits": data["splits"], "base": data["base"]},
    "estimate": {"data": data},
    "preflight": {"data": data, "out": str(recipe.parent / "run")},
}
load_libraries(questions[0])
from evomerge_tui.processes.planner.questions import QUESTIONS

before = set(sys.modules)
for question in questions:
    QUESTIONS[question](**asked[question], folder=folder)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.mark.parametrize("questions", [["check"], ["fit", "preview", "estimate", "preflight"]], ids=["recipe", "models"])
def test_a_question_loads_libraries_before_others_can_meet_it(tmp_path: Path, questions: list[str]) -> None:
    command = [sys.executable, "-c", _ASK, str(write_recipe(tmp_path)), *questions]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = json.loads(answer.stdout.splitlines()[-1])
    assert [name for name in loaded if name.startswith(("torch", "transformers")) and not name.startswith(_LEAVES)] == []
