"""What the README says is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evomerge_core.recipe.load import load_recipe
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


def test_pictures_and_links_are_there() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link
