"""The command palette and `?`: what a screen's actions are, and how one is carried out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode
from textual.screen import Screen

from evomerge_tui.keys.actions import Action, actions_of
from evomerge_tui.keys.key_names import key_names


def actions_on(screen: Screen[object]) -> list[Action]:
    """The actions that a screen has at the moment: its own, those of its widgets, and those of the whole app."""
    scopes: Sequence[str] = getattr(screen, "SCOPES", ())
    found = [
        *(action for scope in scopes for action in actions_of(scope)),
        *actions_of("page" if scopes else ""),
        *actions_of("app"),
    ]
    return [action for action in dict.fromkeys(found) if _is_possible(screen, action)]


async def carry_out(screen: Screen[object], action: Action) -> None:
    """Does what the action's key does on this screen."""
    await screen.app.run_action(action.run, _target(screen, action.scope))


def _target(screen: Screen[object], scope: str) -> DOMNode:
    """The widget that an action is for: the one with the focus, or else the first of its kind; or the screen."""
    if scope in ("app", "page", "dialog"):
        return screen
    if screen.focused is not None and getattr(screen.focused, "SCOPE", None) == scope:
        return screen.focused
    return next((widget for widget in screen.walk_children() if getattr(widget, "SCOPE", None) == scope), screen)


def _is_possible(screen: Screen[object], action: Action) -> bool:
    target = _target(screen, action.scope)
    if action.scope not in ("app", "page") and target is screen and action.scope not in getattr(screen, "SCOPES", ()):
        return False
    name = action.run.partition("(")[0].rpartition(".")[2]
    return target.check_action(name, ()) is True


class ActionCommands(Provider):
    """All actions of the screen that the palette was opened on."""

    async def discover(self) -> Hits:
        for action in actions_on(self.screen):
            yield DiscoveryHit(action.description, self._run(action), help=_help(action))

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action in actions_on(self.screen):
            score = matcher.match(f"{action.description} {action.tooltip}")
            if score > 0:
                yield Hit(score, matcher.highlight(action.description), self._run(action), help=_help(action))

    def _run(self, action: Action) -> Callable[[], Awaitable[None]]:
        screen = self.screen

        async def run() -> None:
            await carry_out(screen, action)

        return run


def _help(action: Action) -> str:
    return f"{action.tooltip} ({key_names(action.key)})".replace("[", "\\[")
