"""Which recipe to start from: a ready one, or a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.text import Text
from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from evomerge_recipes.catalogue import ready_recipes
from evomerge_tui.screens.page import Dialog


class OpenRecipe(Dialog[Path | None]):
    """The recipe's file; None when nothing was chosen."""

    def __init__(self) -> None:
        super().__init__()
        self._known = ready_recipes()

    def compose(self) -> Iterable[Widget]:
        with Vertical(classes="box"):
            yield Static("Open a recipe", classes="question", markup=False)
            yield OptionList(
                *(Option(_shown(recipe.title, recipe.summary), id=recipe.name) for recipe in self._known), id="ready-recipes"
            )
            yield Static("Or a file: a recipe, or a configuration of mergekit-evolve", classes="detail", markup=False)
            yield Input(placeholder="Path to the file", id="recipe-file")
            yield Static("", id="file-trouble", markup=False)
            with Horizontal(classes="choices"):
                yield Button("Cancel", id="cancel")
                yield Button("Open", id="do", variant="primary")

    def on_mount(self) -> None:
        self.query_one("#ready-recipes").focus()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(next(recipe.path for recipe in self._known if recipe.name == event.option.id))

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#do")
    @on(Input.Submitted, "#recipe-file")
    def _open(self) -> None:
        given = self.query_one("#recipe-file", Input).value.strip()
        ready = self.query_one("#ready-recipes", OptionList)
        path = Path(given).expanduser().absolute()
        if given and path.is_file():
            self.dismiss(path)
        elif given:
            self.query_one("#file-trouble", Static).update("No such file: check the path")
        elif ready.highlighted is not None:
            self.dismiss(self._known[ready.highlighted].path)


def _shown(title: str, summary: str) -> Text:
    return Text.assemble((title, "bold"), "\n", (summary, "dim"))
