"""Every screen and widget of the program."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

from textual.dom import DOMNode

import evomerge_tui.app
import evomerge_tui.screens
import evomerge_tui.widgets

MODULES = [
    evomerge_tui.app.__name__,
    *(
        module.name
        for package in (evomerge_tui.screens, evomerge_tui.widgets)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ),
]


def own_classes() -> list[type[DOMNode]]:
    """Every screen and widget of ours, and the app."""
    found = {}
    for name in MODULES:
        for value in vars(importlib.import_module(name)).values():
            if inspect.isclass(value) and issubclass(value, DOMNode) and value.__module__.startswith("evomerge_tui"):
                found[value] = None
    return list(found)
