"""A new merge method or scorer is one file: nothing lists the modules of the two packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

METHOD = '''
"""Half of the first source."""
from torch import Tensor
from evomerge_core.methods.method import register

@register("half")
def half(tensors: list[Tensor], *, part: float = 0.5) -> Tensor:
    return tensors[0] * part
'''
SCORER = '''
"""Whether something was written at all."""
from evomerge_core.tasks.scorers.scorer import register

@register("anything")
def anything(answer, expected):
    return float(bool(answer.text))
'''


def _run(package: str, folder: Path, code: str) -> str:
    """What `code` prints in a new process in which `folder` belongs to the package too."""
    script = f"import {package}; {package}.__path__.append({str(folder)!r})\n{code}"
    return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.strip()


def test_a_methods_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "half.py").write_text(METHOD)
    code = """
import torch
from evomerge_core.methods.registry import get_method, method_names
print("half" in method_names(), get_method("half").call([torch.tensor([4.0])], None, {}, {}).item(), "ties" in method_names())
"""
    assert _run("evomerge_core.methods", tmp_path, code) == "True 2.0 True"


def test_a_scorers_file_is_found_and_a_recipe_may_name_it(tmp_path: Path) -> None:
    (tmp_path / "anything.py").write_text(SCORER)
    code = """
from evomerge_core.tasks.evaluator import Answer
from evomerge_core.tasks.make_task import make_task
from evomerge_core.tasks.spec import TaskSpec
task = make_task(TaskSpec.model_validate({"name": "a", "file": "items.jsonl", "scorer": "anything"}))
print(task.scorer.name, task.scorer.score(Answer("so"), None), task.scorer.score(Answer(""), None))
"""
    assert _run("evomerge_core.tasks.scorers", tmp_path, code) == "anything 1.0 0.0"
