"""What the README says is so."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from evomerge_core.recipe.load import load_recipe
from evomerge_recipes.catalogue import ready_recipes
from evomerge_tui.cli.main import parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_recipe_in_the_readme_is_right(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    assert load_recipe(tmp_path / "recipe.yaml").name == "japanese-mathematics"


def test_every_command_is_in_the_readme() -> None:
    commands = re.findall(r"^    (\w+)", parser().format_help(), flags=re.MULTILINE)
    assert len(commands) >= 8
    for command in commands:
        assert re.search(rf"[` ]{command}\b", README), command


@pytest.mark.parametrize("name", ["recipe", "dfs", "ps_dfs"])
def test_the_quickstarts_recipes_parse(name: str) -> None:
    recipe = ROOT / f"recipes/evomerge_recipes/quickstart/{name}.yaml"
    assert load_recipe(recipe).splits.test >= 200


def test_the_numbers_in_the_table_of_commands_are_so() -> None:
    from evomerge_quant.gguf.quantize.file_types import FILE_TYPES

    assert f"verified GGUF files in {len(FILE_TYPES)} types" in README
    memory = [ready.memory for ready in ready_recipes()]
    assert (min(memory), f'from "no GPU" to {max(memory)} GB' in README) == (0, True)


def test_commands_with_json_are_all_but_those_that_the_readme_names() -> None:
    (group,) = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    without = {name for name, command in group.choices.items() if "--json" not in command.format_help()}
    assert without == {"serve"}
    assert "All but the screens and `serve` take `--json`." in README


def test_pictures_and_links_are_there() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link
