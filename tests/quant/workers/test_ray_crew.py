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
    get=lambda answer, **_: answer(), wait=lambda answers, **_: (answers, []), put=lambda it: it, kill=lambda _: None,
    nodes=lambda: [{"NodeID": "n", "Alive": True}]
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


_SILENT = """
import json
from dataclasses import dataclass
from types import SimpleNamespace
from evomerge_quant.planning.machine.places import Machine, Place
from evomerge_quant.workers import ray_crew
from evomerge_quant.workers.worker import Opened

@dataclass(frozen=True)
class Ref:
    of: str
    number: int
    says: str

clock, ended, known = [0.0], [], []
ready = {"open", "pulse of 2"}

def method(number, says):
    def remote(*_):
        known.append(Ref(f"{says} of {number}", len(known), says))
        return known[-1]
    return SimpleNamespace(remote=remote, options=lambda **_: SimpleNamespace(remote=remote))

def actor(number):
    return SimpleNamespace(number=number, **{says: method(number, says) for says in ("open", "pulse", "answer")})

def wait(answers, timeout, **_):
    done = [one for one in answers if {one.of, one.says} & ready]
    if not done:
        clock[0] += timeout
    return done, [one for one in answers if one not in done]

ray_crew.ray = SimpleNamespace(
    get=lambda answer, **_: Opened("host", int(answer.of[-1]), "card", 8, False),
    wait=wait,
    kill=lambda one: ended.append(one.number),
)
ray_crew.time = SimpleNamespace(monotonic=lambda: clock[0], time=lambda: clock[0])
ray_crew._kill = lambda member: ended.append(f"process {member.opened.process}")
actors = [actor(1), actor(2)]
ray_crew._start = lambda _, left=list(actors): left.pop(0)
crew = ray_crew.RayCrew([Place(Machine("n", "host", 2, 0), 1, 2, False)] * 2, None, {})
order = SimpleNamespace(label="child")
crew.start("worker 1", order)
crew.start("worker 2", order)
found = []
while not found and clock[0] < 1000:
    found = [(done.worker, done.answered, done.lost) for done in crew.wait(0.5)]
at = clock[0]
while clock[0] < at + 1000:
    found += [(done.worker, done.answered, done.lost) for done in crew.wait(0.5)]
print(json.dumps([found, at, ended, crew.at_work()]))
"""


def test_one_that_gives_no_sign_of_life_is_ended_and_one_that_takes_long_is_not() -> None:
    ended = subprocess.run([sys.executable, "-P", "-c", _SILENT], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found, at, killed, left = json.loads(ended.stdout.splitlines()[-1])
    assert found == [["worker 1", None, "its process 1 on host has given no sign of life for 90 s"]]
    assert 90 <= at <= 100
    assert killed == [1, "process 1"]
    assert left == ["worker 2"]
