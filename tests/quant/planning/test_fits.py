"""The table of what fits on a card, against arithmetic by hand and published sizes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evomerge_core.methods.registry import method_names
from evomerge_quant.planning.card_sizes.fits import CARDS_GB, SizeFits, what_fits
from evomerge_tui.cli.main import main

BITS = {"bf16": 16, "int8": 8.5, "int5": 5.5, "nf4": 4.5, "": 0}


@pytest.fixture(scope="module")
def sizes() -> dict[str, SizeFits]:
    return {one.size: one for one in what_fits()}


def test_the_shapes_are_those_of_the_models_that_they_stand_for(sizes: dict[str, SizeFits]) -> None:
    """Weights as their model cards state them: Qwen 2.5 and Llama 3."""
    stated = {"0.5b": 0.49e9, "1.5b": 1.54e9, "3b": 3.09e9, "7b": 7.61e9, "8b": 8.03e9, "14b": 14.7e9}
    for name, weights in stated.items():
        assert sizes[name].parameters == pytest.approx(weights, rel=0.02)


def test_a_larger_card_holds_more_bits_or_more_answers(sizes: dict[str, SizeFits]) -> None:
    for size in sizes.values():
        worth = [(BITS[fit.precision], fit.rows) for fit in size.cards]
        assert worth == sorted(worth)
        assert [fit.gigabytes for fit in size.cards] == list(CARDS_GB)


def test_what_is_said_to_fit_does(sizes: dict[str, SizeFits]) -> None:
    """The layers' weights in their bits, embedding and head in 16, and 0.6 GB for CUDA are less than the card."""
    ends = {"0.5b": 0.136e9, "1.5b": 0.233e9, "3b": 0.311e9, "7b": 1.09e9, "8b": 1.05e9, "14b": 1.557e9}
    for name, size in sizes.items():
        for fit in size.cards:
            held = (size.parameters - ends[name]) * BITS[fit.precision] / 8 + 2 * ends[name] + 0.6e9
            assert not fit.precision or held < 1e9 * fit.gigabytes
    assert sizes["1.5b"].cards[0].precision in ("bf16", "int8")
    assert sizes["7b"].cards[2].precision != ""
    assert sizes["14b"].cards[0].precision == ""


def test_every_method_is_there_and_the_loops_need_two_bytes_a_weight(sizes: dict[str, SizeFits]) -> None:
    merging = sizes["8b"].merging
    assert {*merging} == {*method_names()}
    assert merging["ties"] == merging["task_arithmetic"] == (2 * 128_256 * 4096,) * 2
    assert all(two <= three for two, three in merging.values())


def test_the_command_prints_both_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--fits"]) == 0
    shown = capsys.readouterr().out
    assert "24 GB" in shown
    assert "dare_ties" in shown
    assert main(["doctor", "--fits", "--json"]) == 0
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert len(printed["sizes"][0]["cards"]) == len(CARDS_GB)
