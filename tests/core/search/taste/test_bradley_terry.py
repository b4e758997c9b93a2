from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from evomerge_core.search.taste.before_votes import SPREAD, Before, independent
from evomerge_core.search.taste.bradley_terry import Preference, Strengths, posterior, strengths

# first, second, share, prompt
VOTES = [
    (0, 1, 1.0, 0), (0, 2, 1.0, 1), (1, 2, 0.5, 0), (2, 3, 0.0, 2),
    (0, 3, 1.0, 1), (3, 1, 0.5, 0), (2, 0, 1.0, 0), (0, 1, 0.75, 2),
]  # fmt: skip
COUNT, PROMPTS, SPECIAL = 5, 3, 0.8
LIKE = np.array([[0.9, 0.4, 0, 0, 0], [0.4, 0.7, 0, 0, 0.1], [0, 0, 0.5, 0.2, 0], [0, 0, 0.2, 0.6, 0], [0, 0.1, 0, 0, 0.8]])


def _minus_log_posterior(known: np.ndarray) -> float:
    """The formula of Bradley and Terry with shares of votes, written out: strengths, and behind them what each candidate's
    answer to each prompt has more or less than these."""
    strength, special = known[:COUNT], known[COUNT:].reshape(PROMPTS, COUNT)
    inverse = np.linalg.inv(LIKE)
    total = 0.5 * float(strength @ inverse @ strength)
    total += sum(0.5 * float(one @ inverse @ one) / SPECIAL for one in special)
    for first, second, share, prompt in VOTES:
        apart = strength[first] + special[prompt, first] - strength[second] - special[prompt, second]
        total -= share * float(log_expit(apart)) + (1 - share) * float(log_expit(-apart))
    return total


def _of(count: int, votes: list[Preference], *, other_prompts: bool = False) -> Strengths:
    """Of candidates whose genomes aren't known."""
    return strengths(np.full((count, 1), np.nan), votes, other_prompts=other_prompts)


def test_strengths_are_the_mode_of_the_posterior_and_their_covariance_the_inverse_of_the_curvature_there() -> None:
    found = posterior(Before(LIKE, SPECIAL), [Preference(*vote) for vote in VOTES]).strengths
    size = COUNT * (1 + PROMPTS)
    mode = minimize(_minus_log_posterior, np.zeros(size), tol=1e-10).x
    np.testing.assert_allclose(found.mean, mode[:COUNT], atol=1e-4)
    step, unit = 1e-3, np.eye(size)
    curvature = np.zeros((size, size))
    for i, j in combinations(range(size + 1), 2):
        i, j = i, j - 1  # with repetition
        shifted = [_minus_log_posterior(mode + step * (a * unit[i] + b * unit[j])) for a in (1, -1) for b in (1, -1)]
        curvature[i, j] = curvature[j, i] = (shifted[0] - shifted[1] - shifted[2] + shifted[3]) / (4 * step**2)
    np.testing.assert_allclose(found.covariance, np.linalg.inv(curvature)[:COUNT, :COUNT], atol=1e-3)


def test_the_evidence_of_one_vote_is_its_probability() -> None:
    assert posterior(independent(2), [Preference(0, 1, 1.0)]).evidence == pytest.approx(np.log(0.5), abs=0.05)


def test_who_is_near_the_preferred_is_thought_good_until_votes_say_otherwise() -> None:
    genomes = np.array([[0.1, 0.2], [0.9, 0.8], [0.12, 0.21], [0.88, 0.79], [np.nan, np.nan]])
    found = strengths(genomes, [Preference(0, 1, 1.0)] * 3)
    assert found.mean[2] > 0.1 > -0.1 > found.mean[3]
    assert found.mean[4] == pytest.approx(0.0)
    otherwise = strengths(genomes, [Preference(0, 1, 1.0), *[Preference(3, 2, 1.0, prompt) for prompt in range(9)]])
    assert otherwise.mean[2] < 0 < otherwise.mean[3]


def test_many_votes_on_one_prompt_say_less_than_on_many() -> None:
    one = _of(3, [Preference(0, 1, 1.0)] * 8, other_prompts=True)
    many = _of(3, [Preference(0, 1, 1.0, prompt) for prompt in range(8)], other_prompts=True)
    assert 0.5 < one.above(0, 1) < many.above(0, 1) - 0.03


def test_of_pairs_that_it_is_so_sure_of_so_many_are_as_it_says_with_three_prompts() -> None:
    """Voters whose liking for an answer is half the candidate's and half the prompt's."""
    draw, said, right = np.random.default_rng(0), [], []
    for _ in range(40):
        liking, special = draw.normal(0, SPREAD, 6), draw.normal(0, SPREAD, (6, 3))
        votes = []
        for number in range(80):
            first, second = (int(one) for one in draw.choice(6, 2, replace=False))
            answers = [liking[one] + special[one, number % 3] for one in (first, second)]
            votes.append(Preference(first, second, float(draw.random() < expit(answers[0] - answers[1])), number % 3))
        known = _of(6, votes, other_prompts=True)
        for one, other in combinations(np.argsort(-known.mean).tolist(), 2):
            said.append(known.above(one, other))
            right.append(liking[one] > liking[other])
    assert np.mean(said) == pytest.approx(np.mean(right), abs=0.05)
    surest = np.array(said) > 0.9
    assert np.mean(np.array(said)[surest]) == pytest.approx(np.mean(np.array(right)[surest]), abs=0.05)


def test_without_votes_everybody_is_average_and_nothing_is_sure() -> None:
    found = _of(3, [])
    assert found.values().tolist() == [0.5, 0.5, 0.5]
    assert found.above(0, 2) == 0.5


def test_more_votes_for_one_make_it_surer() -> None:
    few, many = (_of(2, [Preference(0, 1, 1.0)] * count) for count in (2, 20))
    assert 0.5 < few.above(0, 1) < many.above(0, 1) < 1.0
    assert many.above(1, 0) == pytest.approx(1 - many.above(0, 1))


def test_a_tie_counts_half_for_each() -> None:
    tied = _of(2, [Preference(0, 1, 0.5)] * 2)
    apart = _of(2, [Preference(0, 1, 1.0), Preference(0, 1, 0.0)])
    np.testing.assert_allclose(tied.mean, apart.mean, atol=1e-12)
    np.testing.assert_allclose(tied.covariance, apart.covariance, atol=1e-12)


def test_a_value_is_the_chance_to_be_preferred_to_the_average() -> None:
    found = _of(2, [Preference(0, 1, 1.0)] * 6)
    draws = np.random.default_rng(0).normal(found.mean[0], np.sqrt(found.covariance[0, 0]), 200_000)
    assert found.values()[0] == pytest.approx(float(expit(draws).mean()), abs=0.01)


def test_hundreds_of_one_sided_votes_still_end_at_a_finite_strength() -> None:
    found = _of(2, [Preference(0, 1, 1.0)] * 800)
    assert np.isfinite(found.mean).all()
    assert found.above(0, 1) > 0.999


def test_hundreds_of_votes_on_one_prompt_leave_open_what_others_would_say() -> None:
    found = _of(2, [Preference(0, 1, 1.0)] * 300, other_prompts=True)
    assert np.isfinite(found.mean).all()
    assert 0.8 < found.above(0, 1) < 0.999
