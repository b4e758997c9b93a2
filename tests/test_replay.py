"""The replays: fits against what made the data, drawn answers against probability, searches against landscapes made by hand."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm
from transformers import AutoModelForCausalLM, AutoTokenizer

sys.path.append(str(Path(__file__).parent / "benchmarks"))

from replay.abilities import fit_abilities
from replay.compare import Standing, combinations, standing, table
from replay.landscape import Landscape, draw_world, fit_landscape
from replay.matrix import Head, Matrix, Numbers, Row, add_row, read_matrix, read_rows, write_head
from replay.score import score_merges, with_items
from replay.search import Replayed, Setting, replay
from replay.spread import next_genome
from replay.surface import Surface, fit_surface

from evomerge_core.genome.space import Space
from evomerge_core.recipe.load import load_recipe
from evomerge_core.run.setup import prepare
from evomerge_quant.resident.model import build
from support.tiny_run import write_recipe

PARENTS, UNIFORM = ((1.0, 0.0), (0.0, 1.0)), ((0.5, 0.5), (0.75, 0.75), (1.0, 1.0))
HEAD = Head("made", "bf16", "drawn", (0.0, 0.0), (2.0, 2.0), (1.0, 1.0), PARENTS, UNIFORM)
WEIGHTS = {"method": "task_arithmetic", "groups": {"bands": 2}}


def hill(height: float, mean: float, top: tuple[float, float] = (1.4, 0.6)) -> Surface:
    """mean + height exp(-|genome - top|^2 / (2 0.6^2))."""
    return Surface(np.array([top]), np.full(2, 0.6), np.array([height]), mean, 1.0)


def made(ability: Surface, *, shared: float = 0.5, difficulty: Numbers | None = None) -> Landscape:
    difficulty = np.zeros(40) if difficulty is None else difficulty
    loss = replace(ability, strengths=-ability.strengths, mean=1.0)
    return Landscape(HEAD, ability, loss, difficulty, 0 * difficulty, shared, 0.2, loss_slope=0.5, loss_noise=0.2)


def test_abilities_and_difficulties_that_made_the_answers_are_found_again() -> None:
    draws = np.random.default_rng(0)
    ability, difficulty = draws.normal(-0.5, 1.0, 60), draws.normal(0.0, 0.8, 150)
    likely = norm.cdf(ability[:, None] - difficulty)
    right = (draws.random(likely.shape) < likely).astype(float)
    found = fit_abilities(right)
    assert np.corrcoef(found.ability, ability)[0, 1] > 0.97
    assert np.corrcoef(found.difficulty, difficulty)[0, 1] > 0.9
    # the errors are what they say: three quarters of the abilities lie within 1.5 of them, at least
    off = found.ability - found.ability.mean() - (ability - ability.mean())
    assert (np.abs(off) < 1.5 * found.error).mean() > 0.75
    fitted = norm.cdf(found.ability[:, None] - found.difficulty)
    assert fitted.mean() == pytest.approx(right.mean(), abs=0.01)


def test_a_smooth_function_is_foretold_where_nothing_was_measured_and_noise_is_not() -> None:
    draws = np.random.default_rng(1)
    genomes, new = draws.uniform(0, 2, (60, 3)), draws.uniform(0.3, 1.7, (200, 3))

    def truth(at: Numbers) -> Numbers:
        return np.asarray(np.sin(at[:, 0]) - (at[:, 1] - 1) ** 2)  # the third number has no effect

    width = np.full(3, 2.0)
    surface = fit_surface(genomes, truth(genomes), np.full(60, 0.01), width)
    assert surface.foresight > 0.95
    assert np.abs(surface(new) - truth(new)).max() < 0.2
    assert surface.lengths[2] > 2 * surface.lengths[1]
    assert fit_surface(genomes, draws.normal(size=60), np.full(60, 0.01), width).foresight < 0.4


def test_quality_is_the_mean_chance_over_the_items() -> None:
    difficulty = np.array([-1.0, 0.0, 2.0])
    landscape = made(hill(1.0, -0.5), difficulty=difficulty)
    expected = norm.cdf(0.5 - difficulty).mean()  # on the hill's top: 1 - 0.5
    assert landscape.quality(np.array([[1.4, 0.6]]))[0] == pytest.approx(expected)


def test_drawn_answers_are_right_as_often_as_the_quality_says_and_stay_the_same() -> None:
    landscape = made(hill(1.2, -0.7), difficulty=np.linspace(-1, 1, 40))
    world, genome, asked = draw_world(landscape, 20_000, 3), np.array([1.0, 0.8]), np.arange(20_000)
    right, losses = world.answers(genome, asked)
    quality = landscape.quality(genome[None])[0]
    assert right.mean() == pytest.approx(quality, abs=4 * math.sqrt(quality * (1 - quality) / 20_000))
    again, some = world.answers(genome.copy(), asked), world.answers(genome, asked[5:9])
    assert np.array_equal(again[0], right)
    assert np.array_equal(again[1], losses)
    assert np.array_equal(some[0], right[5:9])
    # right answers have the lower losses, by the slope times what of them is luck
    ability = 1.2 * math.exp(-(0.4**2 + 0.2**2) / (2 * 0.6**2)) - 0.7
    chances = norm.cdf(ability - landscape.difficulty[world.items])
    luck = 1 - (chances[right == 1].mean() - chances[right == 0].mean())
    assert losses[right == 0].mean() - losses[right == 1].mean() == pytest.approx(0.5 * luck, abs=0.02)


@pytest.mark.parametrize("apart", [0.0, 0.1, 0.3, 1.0])
def test_near_merges_answer_alike_as_sheppard_says(apart: float) -> None:
    """For even chances two normal numbers that correlate by r agree in sign with probability 1/2 + arcsin(r) / pi."""
    landscape = made(hill(0.0, 0.0), shared=1.0)
    world, asked = draw_world(landscape, 20_000, 4), np.arange(20_000)
    one, other = (world.answers(np.array(genome), asked)[0] for genome in ([1.0, 1.0], [1.0 + apart, 1.0 + apart]))
    alike = math.exp(-0.5 * (apart / 2 / 0.2) ** 2)
    # sums of 64 cosines with drawn frequencies come about as near as this
    assert (one == other).mean() == pytest.approx(0.5 + math.asin(alike) / math.pi, abs=0.06)


def drawn_matrix(landscape: Landscape, merges: int, items: int) -> Matrix:
    world, draws = draw_world(landscape, items, 5), np.random.default_rng(6)
    genomes = draws.uniform(0, 2, (merges, 2))
    answers = [world.answers(genome, np.arange(items)) for genome in genomes]
    return Matrix(HEAD, genomes, np.array([right for right, _ in answers]), np.array([losses for _, losses in answers]))


def test_a_landscape_is_found_again_from_what_its_merges_answered() -> None:
    truth = made(hill(2.0, -1.5), shared=0.9, difficulty=np.linspace(-1, 1, 40))
    found = fit_landscape(drawn_matrix(truth, 80, 150))
    genomes = np.random.default_rng(7).uniform(0, 2, (200, 2))
    assert np.abs(found.quality(genomes) - truth.quality(genomes)).mean() < 0.05
    assert found.ability.foresight > 0.8
    assert found.shared > 0.5
    assert found.reach == pytest.approx(0.2, abs=0.1)
    assert found.loss_slope == pytest.approx(0.5, abs=0.15)


def test_a_replay_is_the_same_for_the_same_seed_and_finds_the_hill() -> None:
    landscape = made(hill(2.5, -1.5))
    setting = Setting(evaluations=48, population=8)
    found = [replay(landscape, setting, seed) for seed in range(6)]
    assert replay(landscape, setting, 0) == found[0]
    assert len({one.asked for one in found}) > 1
    top, best = landscape.quality(np.array([[1.4, 0.6]]))[0], landscape.quality(np.array(UNIFORM)).max()
    assert best < np.mean([one.quality for one in found]) <= top


def test_on_a_plain_every_merge_is_worth_the_same() -> None:
    landscape = made(hill(0.0, 0.3))
    assert replay(landscape, Setting(evaluations=16), 1).quality == pytest.approx(norm.cdf(0.3))


def test_racing_asks_less_and_a_setting_reaches_the_search() -> None:
    landscape = made(hill(2.5, -1.5))
    short = Setting(evaluations=32, population=8)

    def asked(**changes: object) -> int:
        return replay(landscape, replace(short, **changes), 0).asked  # type: ignore[arg-type]

    raced = asked()
    assert raced < asked(racing=False)
    assert raced < asked(items=24)
    # everybody on every item: the references and the candidates at least
    assert asked(racing=False) >= (5 + 32) * 48
    assert replay(landscape, short, 0) != replay(landscape, replace(short, loss_items=0.0), 0)
    low = made(hill(2.5, -1.5, top=(0.5, 0.5)))  # the best equal-weight merge, where the recipe starts at 1
    assert replay(low, short, 0) != replay(low, replace(short, line_start=False), 0)


def test_fewer_finalists_ask_less() -> None:
    landscape = made(hill(2.5, -1.5))
    few, many = (replay(landscape, Setting(evaluations=32, finalists=count), 0).asked for count in (2, 10))
    assert few < many


def test_a_file_keeps_what_it_is_given(tmp_path: Path) -> None:
    file = tmp_path / "made.jsonl"
    assert read_rows(file) == []
    write_head(file, HEAD)
    rows = [Row((0.1, 1 / 3), (1, 0, 0.25), (0.5, 1.25, 3.0)), Row((2.0, 0.0), (0, 0, 1), (0.125, 0.0, 9.5))]
    for row in rows:
        add_row(file, row)
    assert read_rows(file) == rows
    matrix = read_matrix(file)
    assert matrix.head == HEAD
    assert matrix.genomes.tolist() == [[0.1, 1 / 3], [2.0, 0.0]]
    assert matrix.right.tolist() == [[1, 0, 0.25], [0, 0, 1]]
    assert matrix.losses.tolist() == [[0.5, 1.25, 3.0], [0.125, 0.0, 9.5]]


def test_scores_are_those_of_transformers_and_a_second_start_continues(tmp_path: Path) -> None:
    task = {
        "name": "numbers",
        "file": "items.jsonl",
        "fields": {"question": "question", "answer": "answer"},
        "prompt": "{question}",
        "gold": "{answer}",
        "scorer": "final_number",
        "max_new_tokens": 4,
    }
    recipe = with_items(load_recipe(write_recipe(tmp_path, tasks=[task], search_space=WEIGHTS)), 10)
    setup = prepare(recipe, recipe.folder)
    once, twice = tmp_path / "once.jsonl", tmp_path / "twice.jsonl"
    evaluator = build(setup.base_folder, precision="bf16", device="cpu")
    score_merges(setup, evaluator, once, 12)
    for count in (3, 12):
        score_merges(setup, evaluator, twice, count)
    assert once.read_text() == twice.read_text()
    space = setup.stages[0].space
    assert isinstance(space, Space)
    rows = read_rows(once)
    assert [row.genome for row in rows[:2]] == [tuple(space.uniform(weight)) for weight in (0.25, 0.5)]
    # the first source alone, after eight equal weights
    assert rows[8].genome == (1.0, 1.0, 0.0, 0.0)
    expected = losses_of(tmp_path / "first", [a.question for a in setup.plan.asked["search"]])
    assert rows[8].losses == pytest.approx(expected, abs=2e-3)
    assert json.loads(once.read_text().splitlines()[0])["parents"] == [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]


def losses_of(folder: Path, questions: list) -> list[float]:  # type: ignore[type-arg]
    """The correct answers' losses with their end tokens, by transformers."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), AutoTokenizer.from_pretrained(folder)
    found = []
    for question in questions:
        prompt = tokenizer(question.prompt, add_special_tokens=False).input_ids
        gold = [*tokenizer(question.gold, add_special_tokens=False).input_ids, tokenizer.eos_token_id]
        with torch.no_grad():
            logs = model(torch.tensor([prompt + gold])).logits[0].log_softmax(-1)
        found.append(-float(np.mean([logs[len(prompt) - 1 + n, token] for n, token in enumerate(gold)])))
    return found


def test_merges_are_drawn_by_their_number_around_the_best(tmp_path: Path) -> None:
    setup = prepare(load_recipe(write_recipe(tmp_path, search_space=WEIGHTS)), tmp_path)
    space = setup.stages[0].space
    assert isinstance(space, Space)
    known = [Row(tuple(space.uniform(weight)), (float(weight == 1.5),), (1.0,)) for weight in (0.1, 0.2, 1.5)]
    known += [Row((0.0,) * 4, (0.0,), (2.0,))] * 9
    drawn = next_genome(space, known, 0)  # the thirteenth: two around the best follow those of the box and of the start
    assert np.array_equal(drawn, next_genome(space, known, 0))
    assert not np.array_equal(drawn, next_genome(space, known, 1))
    assert ((drawn >= space.low) & (drawn <= space.high)).all()
    # within four steps of a twelfth of the range
    assert min(np.abs((drawn - row.genome) / (space.high - space.low)).max() for row in known[:3]) < 4 / 12


def test_every_combination_of_the_values_is_tried() -> None:
    found = list(combinations(Setting(), {"population": [8, 16], "sigma": [0.1, 0.2]}))
    assert [(s.population, s.sigma) for s in found] == [(8, 0.1), (8, 0.2), (16, 0.1), (16, 0.2)]


def test_standings_are_means_and_the_tenth_percentile() -> None:
    found = standing([Replayed(q, q + 0.1, q + 0.02, 100) for q in np.linspace(0, 1, 11)])
    assert (found.mean, found.tenth, found.asked) == pytest.approx((0.5, 0.1, 100))
    assert (found.validation_above, found.expected_above) == pytest.approx((0.1, 0.02))


def test_the_table_says_what_each_setting_changes() -> None:
    landscape, usual, other = made(hill(1.0, 0.0)), Setting(), Setting(population=8, racing=False)
    standings = {usual: [Standing(0.5, 0.4, 0.05, 0.01, 1234.0)], other: [Standing(0.6, 0.5, 0.0, -0.01, 3000.0)]}
    rows = table([landscape], standings, other)
    assert rows[2] == "| the product's | 50.0 | 40.0 | +5.0 | +1.0 | 1,234 |"
    assert rows[3] == "| **population 8, racing 0** | 60.0 | 50.0 | +0.0 | -1.0 | 3,000 |"
