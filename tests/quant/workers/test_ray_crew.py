"""A crew whose workers a test leads by hand, in Ray's place: what is made of one that is lost before any candidate."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra ray")

# In a process of its own: Ray reads the environment when it is imported, and other tests have one for it.
_PROGRAM = """
import json
from types import SimpleNamespace
from ray.exceptions import ActorDiedError, RayTaskError
from evomerge_quant.planning.machine.places import Machine, Place
from evomerge_quant.workers import ray_crew
from evomerge_quant.workers.worker import Opened

def lost():
    raise ActorDiedError()

def actor(number, memory, lacks):
    opened = Opened("host", number, "card", memory, True)
    says = {"open": lambda: opened, "see": lambda: None, "lacks_for_shipped": lacks}
    return SimpleNamespace(**{name: SimpleNamespace(remote=lambda *_, say=say: say) for name, say in says.items()})

ray_crew.ray = SimpleNamespace(
    get=lambda answer, **_: answer(), put=lambda it: it, kill=lambda _: None, nodes=lambda: [{"NodeID": "n", "Alive": True}]
)

def crew(*actors):
    left = list(actors)
    ray_crew._start = lambda _: left.pop(0)
    return ray_crew.RayCrew([Place(Machine("n", "host", 2, 0), 1, 2, False)] * len(actors), None, {})

def told(of):
    return [of.lacks_for_shipped(), of.at_work(), [one["lost"] for one in of.told()]]

def failed():
    raise RayTaskError("answer", "Traceback\\n  of the worker", ValueError("several\\nlines"))

found = [told(crew(actor(1, 8, lost), actor(2, 8, lambda: "small"), actor(3, 16, lambda: "large")))]
found.append(told(crew(actor(1, 8, lost), actor(2, 16, lambda: "large"))))
found.append(told(crew(actor(1, 8, lost))))
try:
    crew(actor(1, 8, failed)).lacks_for_shipped()
except RuntimeError as error:
    found.append(str(error))
print(json.dumps(found))
"""


def test_one_that_is_lost_before_it_answers_leaves_the_run_to_the_others() -> None:
    ended = subprocess.run([sys.executable, "-P", "-c", _PROGRAM], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    of_two, of_the_next, of_nobody, failed = json.loads(ended.stdout.splitlines()[-1])
    assert of_two == ["small", ["worker 2", "worker 3"], ["its process 1 on host ended", "", ""]]
    # when the smallest is lost, the next one is
    assert of_the_next == ["large", ["worker 2"], ["its process 1 on host ended", ""]]
    assert of_nobody == ["", [], ["its process 1 on host ended"]]
    assert failed == "a worker failed (ValueError: several lines)"
