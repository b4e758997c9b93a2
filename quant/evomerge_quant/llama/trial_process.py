"""`python -m evomerge_quant.llama.trial_process FILE`: opens a GGUF and has it read one token, then ends with status 0.

llama.cpp ends its process on some damaged files, and this one may be ended. An error is one line on standard output, with
status 2.
"""

from __future__ import annotations

import sys
from pathlib import Path

from evomerge_core.errors import InputError
from evomerge_quant.llama.context import LlamaContext, LlamaError, TokenRun
from evomerge_quant.llama.model import Offload, open_gguf

_CELLS = 64


def main(path: Path) -> int:
    """The exit status."""
    try:
        with open_gguf(path, offload=Offload(0)) as model, LlamaContext(model, cells=_CELLS, batch=_CELLS) as context:
            context.read([TokenRun(0, 0, [0], wanted=1)])
            model.text(model.tokenize("a word"))
    except InputError as error:
        sys.stdout.write(f"{error}\n")
        return 2
    except LlamaError:
        return 0  # there is no memory for it now, which the opening process says in its own words
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
