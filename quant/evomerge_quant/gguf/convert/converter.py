"""Finds llama.cpp's own converter from Hugging Face's format, `convert_hf_to_gguf.py` with its `conversion/` and `gguf-py/`.

It must fit the runtime: so it comes from the source package of the llama-cpp-python that is installed, unless the user names
a llama.cpp folder. PyPI's gguf can't replace the converter's own gguf-py, which is newer though both say the same version.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_cache_path

from evomerge_core.errors import InputError
from evomerge_quant.gguf.convert.fetch_converter import fetch_converter
from evomerge_quant.llama.library import INSTALL

SCRIPT = "convert_hf_to_gguf.py"
PACKAGE = "llama-cpp-python"


def find_converter(named: Path | None = None, *, cache: Path | None = None) -> Path:
    """The folder that holds SCRIPT and gguf-py: the user's, else the cached one, else one downloaded with pip (once, 77 MB).

    InputError when the named folder has none, when llama-cpp-python isn't installed, or when nothing can be downloaded.
    """
    if named is not None:
        return _checked(named)
    release = installed_version()
    folder = cached_converter(release, cache)
    if not _is_converter(folder):
        fetch_converter(release, folder)
    return _checked(folder)


def cached_converter(release: str, cache: Path | None = None) -> Path:
    """Where the converter of that version lies once it has been fetched."""
    return (cache or user_cache_path("evomerge-tui")) / "llama.cpp" / release


def installed_version() -> str:
    """The version of llama-cpp-python; InputError when it, or the llama.cpp library that its build makes, is missing."""
    try:
        release = version(PACKAGE)
    except PackageNotFoundError:
        remedy = f"`{INSTALL}` fetches or builds it (a C++ compiler is needed where no prebuilt wheel fits)"
        raise InputError(f"{PACKAGE} isn't installed", remedy=remedy) from None
    if not any(file.is_file() for folder in _library_folders() for file in folder.glob("*llama*")):
        raise InputError(
            f"{PACKAGE} {release} lacks the compiled llama.cpp library",
            remedy=f"build it again with `pip install --force-reinstall --no-binary {PACKAGE} {PACKAGE}=={release}` "
            "(a C++ compiler is needed)",
        )
    return release


def _library_folders() -> list[Path]:
    elsewhere = os.environ.get("LLAMA_CPP_LIB_PATH")
    if elsewhere:
        return [Path(elsewhere)]
    package = find_spec("llama_cpp")
    return [] if package is None else [Path(place) / "lib" for place in package.submodule_search_locations or ()]


def _checked(folder: Path) -> Path:
    place = folder.parent if folder.name == SCRIPT else folder
    if not _is_converter(place):
        raise InputError(f"{place}: holds no {SCRIPT} beside gguf-py/: give the folder of a llama.cpp checkout")
    return place.absolute()


def _is_converter(folder: Path) -> bool:
    return (folder / SCRIPT).is_file() and (folder / "gguf-py" / "gguf" / "__init__.py").is_file()
