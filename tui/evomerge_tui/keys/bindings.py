"""Textual's bindings, made from the registry of actions."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from evomerge_tui.keys.actions import Action, actions_of


def bindings(*scopes: str) -> list[BindingType]:
    """The bindings of some scopes; a widget or screen sets them as its `BINDINGS`."""
    return [_binding(action) for action in actions_of(*scopes)]


def _binding(action: Action) -> Binding:
    return Binding(
        action.key,
        action.run,
        action.description,
        show=action.footer,
        priority=action.priority,
        tooltip=action.tooltip,
        id=action.id,
    )
