"""Members of a pool are told apart by their names."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from evomerge_core.errors import InputError
from evomerge_core.recipe.absolute_paths import with_absolute_paths
from evomerge_core.recipe.load import load_recipe
from support.tiny_run import write_recipe


def test_a_given_name_that_another_member_has_is_refused(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    data = yaml.safe_load(recipe.read_text())
    del data["sources"]
    data["pool"] = [{"model": "./first", "name": "second"}, "./second"]
    recipe.write_text(yaml.safe_dump(data, sort_keys=False))
    with pytest.raises(InputError, match=r"first and .*second would both be called 'second'; give one another name"):
        with_absolute_paths(load_recipe(recipe))
