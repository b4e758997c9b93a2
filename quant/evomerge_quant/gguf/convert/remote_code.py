"""transformers without the code of models, whoever asks for it: llama.cpp's converter passes `trust_remote_code=True`."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

_LOADERS = ("get_cached_module_file", "get_class_from_dynamic_module", "get_class_in_module")


def forbid_remote_code() -> None:
    """Has transformers take `trust_remote_code=True` for False in this process, and never load a module of a model."""
    from transformers import dynamic_module_utils as loading

    resolve: Any = loading.resolve_trust_remote_code

    def never(_: Any, *rest: Any, **options: Any) -> Any:
        return resolve(False, *rest, **options)

    _replace(loading, "resolve_trust_remote_code", never)
    for name in _LOADERS:
        _replace(loading, name, _refuse)


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise PermissionError("a model's own code is never loaded")


def _replace(module: Any, name: str, substitute: Any) -> None:
    """Also where another of transformers' modules has imported it under its name already."""
    original = getattr(module, name)
    for other in [found for key, found in sys.modules.items() if key.split(".")[0] == "transformers"]:
        if vars(other).get(name) is original:
            setattr(other, name, substitute)
