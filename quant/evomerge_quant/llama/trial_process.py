"""`python -m evomerge_quant.llama.trial_process FILE [MMPROJ]`: opens a GGUF and has it read a token, then ends with status 0.

With an `mmproj` file it looks at a picture.

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
_SIDE = 64  # pixels of the picture that is looked at


def main(path: Path, mmproj: Path | None = None) -> int:
    """The exit status."""
    try:
        if mmproj is not None:
            _look(path, mmproj)
            return 0
        with open_gguf(path, offload=Offload(0)) as model, LlamaContext(model, cells=_CELLS, batch=_CELLS) as context:
            _read(path, context)
            model.text(model.tokenize("a word"))
    except InputError as error:
        sys.stdout.write(f"{error}\n")
        return 2
    except LlamaError:
        return 0  # there is no memory for it now, which the opening process says in its own words
    return 0


def _read(path: Path, context: LlamaContext) -> None:
    try:
        context.read([TokenRun(0, 0, [0], wanted=1)])
    except LlamaError as error:
        raise InputError(f"{path}: llama.cpp can't read a token with it ({error}); download or export it again") from None


def _look(path: Path, mmproj: Path) -> None:
    from PIL import Image

    from evomerge_core.files.picture import Picture
    from evomerge_quant.llama.eyes import open_eyes

    with open_gguf(path, offload=Offload(0)) as model, open_eyes(model, mmproj) as eyes:
        eyes.look(Picture(Image.new("RGB", (_SIDE, _SIDE)), ""))


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
