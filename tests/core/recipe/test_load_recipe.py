"""Recipes: what is read, what is filled in, what is refused and with which line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evomerge_core.errors import InputError
from evomerge_core.recipe.load import dump_recipe, load_recipe
from evomerge_core.recipe.schema import Recipe, last_part

MINIMAL = """\
evomerge: 1
name: small
base: base-model
sources:
  - first
  - second
tasks:
  - name: sums
    file: items.jsonl
    scorer: final_number
budget: {evaluations: 10}
"""

FULL = """\
evomerge: 1
name: japanese-arithmetic
base: HuggingFaceTB/SmolLM2-135M-Instruct
sources:
  - HuggingFaceTB/SmolLM2-135M-Instruct+./adapters/arithmetic
  - {model: "owner/other@main", name: japanese}
search_space:
  method: dare_ties
  groups: {parts: true, bands: 4}
  parameters:
    weight: {low: 0.0, high: 1.5, start: 0.25}
    density: {low: 0.1, high: 1.0}
  fixed: {normalize: true, lambda: 0.9, rescale: false}
tasks:
  - task: gsm8k
    dataset: owner/gsm8k
    config: main
    split: train
    language: ja
    weight: 2.0
    max_new_tokens: 24
    stop: ["\\n\\n"]
  - name: colours
    file: colours.tsv
    fields: {question: 0, answer: 1}
    prompt: "{question}"
    chat: false
    scorer: multiple_choice
    choices: [red, green]
  - name: dates
    files: {search: a.csv, validation: b.csv, test: c.csv}
    system: Answer with a date.
    gold: "{answer}"
    scorer: regex
    pattern: "[0-9]{4}-[0-9]{2}"
splits: {search: 32, validation: 16, test: 64, seed: 7}
budget: {evaluations: 130, minutes: 7.5}
search: {population: 12, sigma: 0.2, tie_break: none}
evaluation: {precision: bf16, device: cpu, confirm: [nf4, fp32]}
seed: 5
output: runs/japanese
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, text: str) -> Recipe:
    return load_recipe(write(folder, text))


def problem(folder: Path, text: str) -> str:
    path = write(folder, text)
    with pytest.raises(InputError) as caught:
        load_recipe(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}:")
    return message.removeprefix(f"{path}:")


def test_a_minimal_recipe_gets_the_default_preset(tmp_path: Path) -> None:
    recipe = load(tmp_path, MINIMAL)
    space = recipe.search_space
    assert (space.method, dict(space.fixed)) == ("task_arithmetic", {"normalize": False, "lambda": 1.0})
    assert {name: (one.low, one.high, one.start) for name, one in space.parameters.items()} == {"weight": (0.0, 1.5, 0.5)}
    assert space.groups.bands == "auto"
    assert recipe.search.sigma == 1 / 6
    assert recipe.folder == tmp_path
    assert [source.name for source in recipe.sources] == ["first", "second"]


def test_the_paper_preset_evolves_weight_and_density_of_whole_models(tmp_path: Path) -> None:
    space = load(tmp_path, MINIMAL + "search_space: {preset: paper}\n").search_space
    assert space.method == "dare_ties"
    assert (set(space.parameters), space.groups.bands, space.groups.parts) == ({"weight", "density"}, 1, False)
    assert all((parameter.low, parameter.high, parameter.start) == (0.0, 1.0, 0.5) for parameter in space.parameters.values())


def test_explicit_keys_override_the_preset(tmp_path: Path) -> None:
    space = load(
        tmp_path, MINIMAL + "search_space: {preset: paper, groups: layers, parameters: {weight: {high: 2}}}\n"
    ).search_space
    assert space.groups.band_layers == 1
    assert set(space.parameters) == {"weight"}
    assert (space.parameters["weight"].low, space.parameters["weight"].high, space.parameters["weight"].start) == (
        0.0,
        2.0,
        0.5,
    )
    narrow = load(tmp_path, MINIMAL + "search_space: {parameters: {weight: {low: 1, high: 1.5}}}\n").search_space
    assert narrow.parameters["weight"].start == 1.25


@pytest.mark.parametrize(
    ("method", "parameters", "fixed"),
    [
        ("ties", {"weight"}, {"normalize": False, "lambda": 1.0}),
        ("slerp", {"t"}, {}),
    ],
)
def test_another_method_takes_what_it_has_of_the_preset(
    tmp_path: Path, method: str, parameters: set[str], fixed: object
) -> None:
    text = MINIMAL.replace("  - second\n", "") + f"search_space: {{method: {method}}}\n"
    space = load(tmp_path, text).search_space
    assert (set(space.parameters), dict(space.fixed)) == (parameters, fixed)


def test_whole_models_are_averaged_and_one_of_them_is_the_base(tmp_path: Path) -> None:
    text = MINIMAL.replace("base-model", "first") + "search_space: {method: linear}\n"
    space = load(tmp_path, text).search_space
    assert (set(space.parameters), dict(space.fixed)) == ({"weight"}, {})
    expected = "12: key 'search_space.fixed.lambda': linear: unknown parameter 'lambda'"
    assert problem(tmp_path, text.replace("linear}", "linear, fixed: {lambda: 1.0}}")).startswith(expected)


@pytest.mark.parametrize("text", [MINIMAL, FULL, MINIMAL + "search_space: {preset: paper}\n"])
def test_a_dumped_recipe_reads_back_equal(tmp_path: Path, text: str) -> None:
    recipe = load(tmp_path, text)
    assert load(tmp_path, dump_recipe(recipe)) == recipe


def test_values_of_a_full_recipe(tmp_path: Path) -> None:
    recipe = load(tmp_path, FULL)
    assert [source.name for source in recipe.sources] == ["arithmetic", "japanese"]
    gsm8k, colours, dates = recipe.tasks
    assert (gsm8k.name, gsm8k.stop, gsm8k.weight) == ("gsm8k", ("\n\n",), 2.0)
    assert (colours.choices, dict(colours.fields or {})) == (("red", "green"), {"question": 0, "answer": 1})
    assert dates.files is not None
    assert dates.files.validation == "b.csv"
    assert recipe.search_space.parameters["density"].start == 0.5


@pytest.mark.parametrize(
    ("reference", "label"),
    [
        ("owner/name", "name"),
        ("owner/name@rev", "name"),
        ("./models/a/", "a"),
        ("owner/name+./adapters/b", "b"),
        ("C:\\models\\c", "c"),
        ("plain", "plain"),
    ],
)
def test_a_sources_label_is_its_last_path_part(reference: str, label: str) -> None:
    assert last_part(reference) == label


SPACE = MINIMAL + "search_space:\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MINIMAL + "sarch_space: {}\n", "12: key 'sarch_space' is unknown; did you mean 'search_space'?"),
        (
            MINIMAL.replace("    scorer", "    scrorer"),
            "10: key 'scrorer' is unknown in 'tasks[0]'; did you mean 'scorer'?",
        ),
        (
            SPACE + "  parameters:\n    weight:\n      hihg: 2\n",
            "15: key 'hihg' is unknown in 'search_space.parameters.weight'; did you mean",
        ),
        (MINIMAL.replace("name: small\n", ""), "1: key 'name' is missing; add it"),
        (MINIMAL.replace("sources:", "surces:"), "4: key 'surces' is unknown; did you mean 'sources'?"),
        (MINIMAL.replace("10}", "ten}"), "11: key 'budget.evaluations' must be a whole number, not 'ten'"),
        (MINIMAL.replace("10}", "0}"), "11: key 'budget.evaluations' must be at least 1, not 0"),
        (MINIMAL.replace("10}", "1.5}"), "11: key 'budget.evaluations' must be a whole number, not 1.5"),
        (MINIMAL.replace("10}", "true}"), "11: key 'budget.evaluations' must be a whole number, not True"),
        (MINIMAL.replace("{evaluations: 10}", "{}"), "11: key 'budget' needs 'evaluations' or 'minutes'"),
        (MINIMAL.replace("{evaluations: 10}", "{minutes: .inf}"), "11: key 'budget.minutes' must be a finite number"),
        (MINIMAL.replace("{evaluations: 10}", "10"), "11: key 'budget' must be a mapping of keys to values, not 10"),
        (MINIMAL.replace("final_number", "final_numbr"), "10: key 'tasks[0].scorer' must be contains, exact, final_number,"),
        (MINIMAL.replace("final_number", "final_numbr"), "did you mean 'final_number'?"),
        (MINIMAL.replace("name: small", "name: 12"), "2: key 'name' must be text, not 12 (write it in quotes)"),
        (MINIMAL.replace("name: small", "name:"), "2: key 'name' must be text, not empty"),
        (MINIMAL.replace("name: small", "name: ''"), "2: key 'name' must not be empty"),
        (MINIMAL.replace("  - first\n  - second\n", "  []\n"), "4: key 'sources' must not be empty"),
        (MINIMAL.replace("- second", "- first"), "4: key 'sources' holds 'first' twice; give each its own 'name'"),
        (MINIMAL.replace("- second", "- other/first"), "4: key 'sources' holds 'first' twice; give each its own 'name'"),
        (MINIMAL.replace("- second", "- 3"), "6: key 'sources[1]' must be a mapping of keys to values, not 3"),
        (MINIMAL.replace("- second", "- base-model"), "6: key 'sources[1]': this is the base itself"),
        (MINIMAL.replace("    file: items.jsonl\n", ""), "8: key 'tasks[0]' needs items"),
        (MINIMAL.replace("evomerge: 1", "evomerge: 2"), "1: key 'evomerge' must be 1, not 2"),
        (MINIMAL.replace("evomerge: 1\n", ""), "1: key 'evomerge' is missing; start the file with 'evomerge: 1'"),
        (MINIMAL.replace("evomerge: 1\n", "") + "evomerge: 1\n", "11: key 'evomerge' must be the first key"),
        ("merge_method: ties\nmodels: []\n", "1: this is a mergekit configuration"),
        (MINIMAL + "name: twice\n", "12: key 'name' is given twice, first in line 2"),
        (MINIMAL + "seed: -1\n", "12: key 'seed' must be at least 0, not -1"),
        (MINIMAL + "search: {sigma: 2.0}\n", "12: key 'search.sigma' must be at most 1"),
        (MINIMAL + "evaluation: {precision: nf4, confirm: [nf4]}\n", "12: key 'evaluation.confirm' holds nf4, in which"),
        (MINIMAL + "folder: elsewhere\n", "12: key 'folder' is unknown"),
    ],
)
def test_bad_values_are_reported_with_line_and_key(tmp_path: Path, text: str, expected: str) -> None:
    message = problem(tmp_path, text)
    assert message.startswith(expected) or (expected.startswith("did") and expected in message)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("  method: taks_arithmetic\n", "13: key 'search_space.method': unknown merge method 'taks_arithmetic'; did you mean"),
        ("  preset: papr\n", "13: key 'search_space.preset' must be default or paper, not 'papr'; did you mean 'paper'?"),
        ("  groups: hole\n", "13: key 'search_space.groups' must be one of whole, parts, layers, auto"),
        ("  groups: {bands: 0}\n", "13: key 'search_space.groups.bands' must be a whole number from 1, or auto, not 0"),
        ("  groups: {bands: 2, band_layers: 4}\n", "13: key 'search_space.groups.band_layers' can't be combined with bands"),
        ("  groups: {parts: true, filters: [mlp]}\n", "13: key 'search_space.groups.filters' can't be combined with parts"),
        (
            "  parameters: {density: {}, weight: {}}\n",
            "13: key 'search_space.parameters.density': task_arithmetic: unknown parameter",
        ),
        (
            "  parameters: {weight: {low: 1, high: 1}}\n",
            "13: key 'search_space.parameters.weight.high' must be above low (1.0)",
        ),
        (
            "  parameters: {weight: {start: 9}}\n",
            "13: key 'search_space.parameters.weight.start' must be from 0.0 to 1.5, not 9.0",
        ),
        ("  parameters: {weight: 1.0}\n", "13: key 'search_space.parameters.weight' must be a mapping of keys to values"),
        ("  parameters: {lambda: {low: 0, high: 1}}\n", "13: key 'search_space.parameters': task_arithmetic needs weight"),
        (
            "  parameters: {gamma: {}}\n  method: breadcrumbs\n",
            "13: key 'search_space.parameters.gamma.low' is missing; add it",
        ),
        ("  fixed: {weight: 1.0}\n", "12: key 'search_space.parameters': nothing is evolved"),
        ("  parameters: {weight: {}}\n  fixed: {weight: 1.0}\n", "14: key 'search_space.fixed' holds weight, which is evolved"),
        ("  fixed: {rescale: true}\n", "13: key 'search_space.fixed.rescale': task_arithmetic: unknown parameter 'rescale'"),
        (
            "  fixed: {normalize: 1}\n",
            "13: key 'search_space.fixed.normalize': task_arithmetic: normalize is 1; give true or false",
        ),
        ("  fixed: {lambda: [1]}\n", "13: key 'search_space.fixed.lambda' must be a number, true or false"),
        ("  method: linear\n", "3: key 'base': linear compares with no base: name one of the sources"),
        (
            "  method: ties\n  parameters: {weight: {}, density: {high: 1.5}}\n",
            "14: key 'search_space.parameters.density': ties: density is 1.5",
        ),
        (
            "  method: ties\n  parameters: {weight: {}, normalize: {low: 0, high: 1}}\n",
            "14: key 'search_space.parameters.normalize'",
        ),
        ("  method: slerp\n", "4: key 'sources': slerp: 2 models given"),
        ("  method: model_stock\n", "12: key 'search_space.parameters': nothing is evolved; model_stock has these"),
    ],
)
def test_search_spaces_without_sense_are_refused(tmp_path: Path, lines: str, expected: str) -> None:
    assert problem(tmp_path, SPACE + lines).startswith(expected)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("    pattern: x\n", "11: key 'tasks[0].pattern' has no effect without scorer: regex"),
        ("    choices: [a, b]\n", "11: key 'tasks[0].choices' has no effect without scorer: multiple_choice"),
        ("    choices: 3\n", "11: key 'tasks[0].choices' must be a field's name or a list of at least two texts"),
        ("    split: train\n", "11: key 'tasks[0].split' has no effect without 'dataset'"),
        ("    dataset: a/b\n", "11: key 'tasks[0].dataset' can't be combined with file; keep one"),
        ("    language: japanese\n", "11: key 'tasks[0].language' must be a language code such as ja"),
        ("    language: no\n", "11: key 'tasks[0].language' must be text, not False (write it in quotes)"),
        ("    task: gsm9k\n", "11: key 'tasks[0].task': unknown ready task 'gsm9k'; did you mean 'gsm8k'?"),
        ("    fields: {question: -1}\n", "11: key 'tasks[0].fields.question' must be a column's name, or its number from 0"),
        ("    weight: 0\n", "11: key 'tasks[0].weight' must be above 0"),
        ("    system: x\n    chat: false\n", "8: key 'tasks[0]': sums: system has no effect with"),
    ],
)
def test_tasks_without_sense_are_refused(tmp_path: Path, lines: str, expected: str) -> None:
    assert problem(tmp_path, MINIMAL.replace("budget", lines + "budget")).startswith(expected)


@pytest.mark.parametrize(
    ("scorer", "expected"),
    [
        ("regex", "10: key 'tasks[0].scorer' needs the key 'pattern'"),
        ("regex\n    pattern: '('", "11: key 'tasks[0].pattern' is not a regular expression"),
        ("multiple_choice", "10: key 'tasks[0].scorer' needs the key 'choices'"),
        (
            "multiple_choice\n    choices: options\n    stop: [x]",
            "12: key 'tasks[0].stop' has no effect with scorer: multiple_choice",
        ),
    ],
)
def test_scorers_without_their_keys_are_refused(tmp_path: Path, scorer: str, expected: str) -> None:
    assert problem(tmp_path, MINIMAL.replace("final_number", scorer)).startswith(expected)


def test_the_schema_loads_without_torch() -> None:
    code = "import sys, evomerge_core.recipe.schema, evomerge_core.recipe.load; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
