"""All merge methods by name. Importing a method's file registers it."""

from __future__ import annotations

from evomerge_core.errors import unknown_name
from evomerge_core.methods import (  # noqa: F401
    breadcrumbs,
    breadcrumbs_ties,
    dare_linear,
    dare_ties,
    della,
    della_linear,
    karcher,
    linear,
    model_stock,
    multislerp,
    nearswap,
    nuslerp,
    passthrough,
    sce,
    slerp,
    task_arithmetic,
    ties,
)
from evomerge_core.methods.method import Method, Parameter, PerSource, register, registered

__all__ = ["Method", "Parameter", "PerSource", "get_method", "method_names", "register"]


def get_method(name: str) -> Method:
    """The method of this name; InputError with the nearest one when there is none."""
    if name not in registered:
        raise unknown_name("merge method", name, registered)
    return registered[name]


def method_names() -> tuple[str, ...]:
    """Every method's name, in alphabetical order."""
    return tuple(sorted(registered))
