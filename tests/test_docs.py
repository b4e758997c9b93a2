"""What the documents say is so: references are fresh, paths and messages exist, and the worked examples work."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
import yaml

from evomerge_core.recipe.load import load_recipe

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MEASURED = (ROOT / "docs" / "measured.md").read_text(encoding="utf-8")
PARTS = ("core", "quant", "tui", "recipes")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", text_of(page)):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(text_of(target)), link


def mapped() -> set[str]:
    """The paths in CONTRIBUTING's map, by indentation; what comes after two spaces is said about them."""
    (block,) = re.findall(r"## The map\n\n```\n(.*?)```", CONTRIBUTING, flags=re.DOTALL)
    found, above = set(), [""]
    for line in block.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = [name for name in re.split(r"  +", line.strip())[0].split() if re.search(r"/$|\.py$", name)]
        found |= {above[depth] + name for name in names}
        above = [*above[: depth + 1], *(above[depth] + name for name in names[:1])]
    return found


def test_the_map_shows_the_rooms_that_there_are() -> None:
    """Every room of a package, in core and quant every room inside it too, and nothing that isn't there."""
    shown = mapped()
    assert [path for path in shown if not (ROOT / path).exists()] == []
    packages = [next((ROOT / part).glob("evomerge_*")) for part in PARTS[:3]]
    rooms = [path.parent for package in packages for path in package.glob("*/__init__.py")]
    rooms += [path.parent for package in packages[:2] for path in package.glob("*/*/__init__.py")]
    assert len(rooms) > 40
    assert [room for room in rooms if f"{room.relative_to(ROOT).as_posix()}/" not in shown] == []


def test_the_drawing_names_functions_that_there_are() -> None:
    (drawing,) = re.findall(r"```mermaid\n(.*?)```", text_of(ROOT / "docs" / "how-it-works.md"), flags=re.DOTALL)
    source = "\n".join(text_of(path) for part in PARTS for path in (ROOT / part).rglob("*.py"))
    names = re.findall(r'\["([\w.]+): ', drawing)
    assert len(names) >= 6
    for name in names:
        for word in name.split("."):
            assert re.search(rf"^ *(?:class|def) {word}\b", source, flags=re.MULTILINE), name


# measurements


def test_every_table_of_measurements_has_the_command_that_prints_it() -> None:
    commands = re.findall(r"```sh\n(.*?)```", MEASURED, flags=re.DOTALL)
    assert len(commands) == len(re.findall(r"^## ", MEASURED, flags=re.MULTILINE))
    for module, script in re.findall(r"python (-m )?(\S+)", MEASURED):
        path = script.replace(".", "/")
        known = [f"tests/benchmarks/{path}.py", f"tests/{path}/__main__.py"] if module else [script]
        assert any((ROOT / one).is_file() for one in known), script


def rows(text: str, first: str) -> Iterator[list[str]]:
    """The cells of a table's rows that begin with a text, without emphasis."""
    for line in text.splitlines():
        cells = [cell.strip(" *") for cell in line.strip("|").split("|")]
        if line.startswith("|") and re.fullmatch(first, cells[0]):
            yield cells


def test_the_readmes_quickstart_figures_are_the_measured_ones() -> None:
    part = MEASURED.split("Test accuracy in bf16")[1].split("\n## ")[0]
    measured = {}
    for seed, *figures in rows(part, r"\d+"):
        *_, half, most, full, child = [float(cell) for cell in figures[:6]]
        measured[f"seed {seed}"] = [str(child), figures[6], str(max(half, most, full))]
    shown = {cells[0]: cells[1:] for cells in rows(text_of(ROOT / "README.md"), r".* seed|seed .*")}
    assert len(measured) >= 5
    by_child = sorted(measured.values(), key=lambda cells: float(cells[0]))
    assert shown == {**measured, "worst seed": by_child[0], "best seed": by_child[-1]}


# the recipe's reference


def module(path: Path) -> ModuleType:
    """A Python file that lies in no package, loaded."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_the_reference_of_recipes_is_fresh() -> None:
    """`python docs/make_recipes.py` makes it anew."""
    assert module(ROOT / "docs" / "make_recipes.py").page() == text_of(ROOT / "docs" / "recipes.md")


def test_the_references_examples_are_recipes(tmp_path: Path) -> None:
    """Each part as it is shown, in a recipe that lacks nothing else."""
    page = text_of(ROOT / "docs" / "recipes.md")
    parts = dict(re.findall(r"## `([\w.]+)`\n(?:(?!\n## ).)*?```yaml\n(.*?)```", page, flags=re.DOTALL))
    assert len(parts) >= 9
    for key, text in parts.items():
        whole = {
            "evomerge": 1,
            "name": "example",
            "base": "mistralai/Mistral-7B-v0.1",
            "sources": ["augmxnt/shisa-gamma-7b-v1", "WizardLMTeam/WizardMath-7B-V1.1"],
            "tasks": [{"task": "mgsm-ja", "file": "mgsm_ja.tsv"}],
            "budget": {"evaluations": 10},
        }
        given = yaml.safe_load(text)
        if key == "paths":
            given["paths"]["sources"] = ["shisa-gamma-7b-v1", "WizardMath-7B-V1.1"]
        for name in reversed(key.split(".")[:-1]):
            given = {name: given}
        if "parameters" in str(given) and key.endswith("NAME"):
            given = {"search_space": {"parameters": {"weight": given["search_space"]["parameters"]["NAME"]}}}
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump({**whole, **given}, sort_keys=False), encoding="utf-8")
        load_recipe(path)


# troubleshooting


def test_every_message_under_troubleshooting_is_one_of_the_programs() -> None:
    """Messages stand in the headings, `…` for what differs; each of their pieces is a text of the source."""
    source = "\n".join(_texts(path) for part in PARTS for path in (ROOT / part).rglob("*.py"))
    headings = re.findall(r"^### `(.+)`$", text_of(ROOT / "docs" / "troubleshooting.md"), flags=re.MULTILINE)
    assert len(headings) >= 15
    for heading in headings:
        for piece in re.split(r"…", heading.replace("`", "")):
            assert piece.strip(" :;") in source, heading


def _texts(path: Path) -> str:
    """A file's source with texts that are written one after the other put together, and without back ticks."""
    joined = re.sub(r"['\"]\s*\n\s*f?['\"]", "", path.read_text(encoding="utf-8"))
    return joined.replace("`", "").replace('\\"', '"')


# the worked examples


def blocks() -> Iterator[tuple[str, str, str]]:
    """The kind, the file and the text of each block under CONTRIBUTING's worked examples."""
    part = CONTRIBUTING.split("## Worked examples")[1].split("\n## ")[0]
    for kind, text in re.findall(r"```(\w+)\n(.*?)```", part, flags=re.DOTALL):
        first, _, rest = text.partition("\n")
        (name,) = re.findall(r"(?:#|/\*) (\S+)", first)
        yield kind, name, rest


def changed(text: str, diff: str) -> str:
    """A text after a diff without line numbers: its context must be there exactly once."""
    lines = diff.splitlines()
    before = "\n".join(line[1:] for line in lines if not line.startswith("+"))
    after = "\n".join(line[1:] for line in lines if not line.startswith("-"))
    assert text.count(before) == 1, before
    return text.replace(before, after)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the house with every worked example in its place."""
    place = tmp_path_factory.mktemp("house")
    leave_out = shutil.ignore_patterns("__pycache__", "snapshots", "data", "benchmarks", "*.safetensors")
    for name in (*PARTS, "tests"):
        shutil.copytree(ROOT / name, place / name, ignore=leave_out)
    shutil.copy(ROOT / "pyproject.toml", place)
    for kind, name, text in blocks():
        path = place / name
        path.write_text(changed(path.read_text(encoding="utf-8"), text) if kind == "diff" else text, encoding="utf-8")
    return place


def test_the_worked_examples_work(house: Path) -> None:
    """Their own tests pass in the copy, and those that look at every action of the screens."""
    tests = [name for kind, name, _ in blocks() if kind == "python" and name.startswith("tests/")]
    assert len(tests) == 4
    actions = "tests/tui/screens/test_actions.py"
    walks = [f"{actions}::{name}" for name in re.findall(r"^def (test_\w+)", text_of(house / actions), flags=re.MULTILINE)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, *walks],
        cwd=house,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(house / part) for part in PARTS), "PYTHONSAFEPATH": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_the_architecture_of_the_worked_example_folds(house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its entries are taken into this process, where the loops are compiled already."""
    import transformers

    from evomerge_core.paths import fold
    from support import path_models

    copied, models = (text_of(house / name) for name in ("core/evomerge_core/paths/fold.py", "tests/support/path_models.py"))
    ((family, written),) = [
        found for found in re.findall(r'^    "(\w+)": (_\w+),$', copied, re.MULTILINE) if found[0] not in fold.FOLDS
    ]
    ((made,),) = [re.findall(rf'^    "{family}": (lambda: .*),$', models, re.MULTILINE)]
    monkeypatch.setitem(fold.FOLDS, family, vars(fold)[written])
    names = {name: getattr(transformers, name) for name in re.findall(r"\w+Config", made)}
    monkeypatch.setitem(path_models.CONFIGS, family, eval(made, {**vars(path_models), **names}))
    tests = module(ROOT / "tests" / "quant" / "resident" / "test_path_view.py")
    with torch.no_grad():
        tests.test_the_folded_child_computes_what_the_running_path_does(tmp_path, family, 0)
