"""The modules of a package, found instead of listed: a new one needs no entry anywhere."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


def import_modules(package: ModuleType) -> None:
    """Imports every module in a package's folders, in alphabetical order; packages inside it are left out."""
    for name in sorted(module.name for module in iter_modules(package.__path__) if not module.ispkg):
        import_module(f"{package.__name__}.{name}")
