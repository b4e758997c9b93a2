"""All merge methods by name: every module of the package `methods` is imported, and registers its own."""

from __future__ import annotations

from evomerge_core import methods
from evomerge_core.errors import unknown_name
from evomerge_core.methods.method import Method, registered
from evomerge_core.submodules import import_modules

import_modules(methods)


def get_method(name: str) -> Method:
    """The method of this name; InputError with the nearest one when there is none."""
    if name not in registered:
        raise unknown_name("merge method", name, registered)
    return registered[name]


def method_names() -> tuple[str, ...]:
    """Every method's name, in alphabetical order."""
    return tuple(sorted(registered))
