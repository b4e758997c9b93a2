"""`python -m evomerge_tui.processes.planner.process`: answers requests, one JSON object per line, until its input ends.

A request is {"id", "ask", ...what the question needs}; its answer {"id", "answer"} or {"id", "error"}. Answers come as they
are ready, not in the order of the requests.
"""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.own_input import take_input

# Questions to the hub take long and compute nothing.
_AT_ONCE = 4
# What opens models, and so loads the libraries that read and score them.
_OPENS_MODELS = frozenset({"fit", "preview", "estimate", "preflight"})
_LOADING = threading.Lock()


def serve() -> None:
    """Reads requests from standard input and writes answers to standard output."""
    # What libraries print must not mix with the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    requests = open(take_input(), encoding="utf-8")  # noqa: PTH123, SIM115 (a descriptor, until the process ends)
    lock = threading.Lock()

    def reply(line: str) -> None:
        answer = _answer(json.loads(line))
        with lock:
            answers.write(json.dumps(answer, ensure_ascii=True) + "\n")
            answers.flush()

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for line in requests:
            pool.submit(reply, line)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    number, name = request.pop("id"), request.pop("ask")
    try:
        load_libraries(name)
        from evomerge_tui.processes.planner.questions import QUESTIONS

        return {"id": number, "answer": QUESTIONS[name](**request)}
    except InputError as error:
        return {"id": number, "error": str(error)}
    except Exception as error:  # noqa: BLE001
        # a question that fails must not end the planner: the screen shows what happened
        return {"id": number, "error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}


def load_libraries(question: str) -> None:
    """What a question would load of torch and transformers on first use, which two threads can't do safely at once."""
    with _LOADING:
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer  # noqa: F401

        import evomerge_tui.processes.planner.questions  # noqa: F401

        if question in _OPENS_MODELS:
            import transformers.models.llama.modeling_llama  # noqa: F401

            import evomerge_quant.resident.model  # noqa: F401


if __name__ == "__main__":
    serve()
