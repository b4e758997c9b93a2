"""Answers as mathematics writes them, against what public answer parsers make of the same texts."""

from __future__ import annotations

import re
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import pytest

from evomerge_core.tasks.evaluator import Answer
from evomerge_core.tasks.scorers.final_number import last_number
from evomerge_core.tasks.scorers.registry import get_scorer
from evomerge_core.tasks.scorers.scorer import Expected

# Values: math-verify 0.9.0's `parse(text)[0]` as a fraction (of an equation the right side), computed once.
MATH_VERIFY = [
    (r"So the probability is $\boxed{\frac{3}{4}}$.", "3/4"),
    (r"The slope is $\boxed{-\dfrac{2}{3}}$.", "-2/3"),
    (r"Thus $x = \boxed{\tfrac{7}{2}}$, and we are done.", "7/2"),
    (r"Hence the sum is $\boxed{\frac34}$.", "3/4"),
    (r"The answer is $\boxed{\frac{-5}{8}}$.", "-5/8"),
    (r"Therefore the mean is $\boxed{2\frac{3}{4}}$.", "11/4"),
    (r"The total is $\boxed{9{,}500}$.", "9500"),
    (r"There are $\boxed{1,\!048,\!576}$ subsets.", "1048576"),
    (r"The number is $\boxed{10^{4}}$.", "10000"),
    (r"This is $\boxed{3 \times 10^4}$ metres.", "30000"),
    (r"We get $2^{10} = \boxed{1024}$.", "1024"),
    (r"There are $\boxed{2^{10}}$ ways.", "1024"),
    (r"The angle is $\boxed{45^\circ}$.", "45"),
    (r"The angle is $\boxed{120^{\circ}}$.", "120"),
    (r"The area is $\boxed{25\text{ cm}^2}$.", "25"),
    (r"The area is $\boxed{25 \mbox{ square units}}$.", "25"),
    (r"The volume is $\boxed{12\ \mathrm{m}^3}$.", "12"),
    (r"The cost is $\boxed{\$18.90}$.", "189/10"),
    (r"Solving, $n = \boxed{17}$, since $3 \cdot 17 = 51$.", "17"),
    (r"The result is $\boxed{\left(\frac{1}{2}\right)}$.", "1/2"),
    (r"We find $\boxed{x = 5}$.", "5"),
    (r"The value is $\boxed{\frac{\frac{1}{2}}{3}}$.", "1/6"),
    (r"The final answer is $\boxed{-7}$.", "-7"),
    (r"The final answer is $\boxed{0.375}$.", "3/8"),
    (r"The final answer is $\frac{3}{8}$.", "3/8"),
    (r"The final answer is $-\frac{2}{3}$.", "-2/3"),
    ("The final answer is 1,234.", "1234"),
]

# Where math-verify 0.9.0 reads something else (in the comment); by hand.
BY_HAND = [
    (r"The mass is $\boxed{2.5 \cdot 10^{-3}}$ kg.", "1/400"),  # the same, as a product that isn't carried out
    (r"The answer is $\boxed{\frac{1{,}000}{3}}$.", "1000/3"),  # no number
    ("The area is 25 cm^2.", "25"),  # 25 c m²: letters of units are unknowns
    ("The area is 25 cm2.", "25"),  # 25 c m 2
    (r"It is 5\,000 metres.", "5000"),  # 5 times 000
    ("It is 1.5e3 metres.", "1500"),  # 1.5 times Euler's number times 3
    ("It is 2E-3.", "1/500"),
    ("It takes 3 × 10⁴ steps.", "30000"),  # 3
    ("It takes 2.5 x 10^3 steps.", "2500"),  # x is an unknown
    ("He needs 1 1/2 cups.", "3/2"),  # 1
    ("He needs 2½ cups.", "5/2"),  # 2
    ("He needs 1 ¾ cups.", "7/4"),
    ("They leave at 3:30.", "7/2"),  # the ratio 3 : 30
    ("The ratio is 2:3.", "2/3"),  # 2
    ("It costs 12.50 €.", "25/2"),
    ("合計は１２，０００円です。", "12000"),  # none
    ("時刻は３：３０です。", "7/2"),
    ("Das sind 1.234,50 Euro.", "2469/2"),
    ("So the answer is \\boxed{12", "12"),  # none: the answer was cut off
    (r"$x_1 = 5$", "5"),
    ("The area is 25m^2.", "25"),
    ("−½", "-1/2"),
    ("２／３", "2/3"),
    (r"\boxed{12 \frac12}", "25/2"),
    (r"$\frac{12}{5} = 2.4$", "12/5"),
    (r"It is $3.0 \times 10^{8} \text{ m/s}$.", "300000000"),
    ("1.5×10³", "1500"),
    (r"It is the $5^{\text{th}}$.", "5"),
    (r"The speed is $60 \frac{\text{miles}}{\text{hour}}$.", "60"),
    ("Rs.500", "500"),  # 0.5
    ("The difference is $- 3$", "-3"),
    ("1_000_000", "1000000"),  # 1
    (r"\nicefrac{1}{2}", "1/2"),
    ("It is 42!", "42"),
    (r"It is \boxed{42}!", "42"),
    (r"\boxed{5! = 120}", "120"),
    (r"\boxed{1\!000}", "1000"),
    (r"\boxed{2\sfrac{3}{4}}", "11/4"),
    (r"It is ${3 \over 4}$.", "3/4"),
    (r"\boxed{3 \over 4}", "3/4"),
    (r"\boxed{-{17\over 3}}", "-17/3"),
    (r"The mean is ${{1 \over 2} \over 3}$.", "1/6"),
]

NO_FRACTION = [
    r"\boxed{2\sqrt{3}}", r"\sqrt{2}", r"\boxed{\frac{\sqrt{3}}{2}}", "(1 + √5)/2", r"9\pi", "It is 25π cm.", r"5 \pm 2", "±2",
    r"101_2", r"101_{2}", r"\log_2 8", r"\sin 30^\circ", "2^n", "2^{n+1}", "2e^3", "It is 5x^{2}.",
    "(-2)^3", r"\binom{5}{2}", r"\infty", r"\frac{x}{2}", r"{x \over 2}",
    r"\boxed{5!}", r"\boxed{3 \cdot 4!}", r"\boxed{(2+3)!}",
    r"0.5\overline{3}", r"\boxed{\text{Friday}}", r"The 3 boxes hold \boxed{\text{apples}}.",
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), MATH_VERIFY)
def test_latex_is_read_as_math_verify_reads_it(text: str, value: str) -> None:
    assert last_number(text) == {Fraction(value)}


@pytest.mark.parametrize(("text", "value"), BY_HAND)
def test_other_writings_are_read_as_people_mean_them(text: str, value: str) -> None:
    assert last_number(text) == {Fraction(value)}


@pytest.mark.parametrize("text", NO_FRACTION)
def test_what_is_no_fraction_is_never_read_as_another_number(text: str) -> None:
    assert last_number(text) == frozenset()


@pytest.mark.parametrize(
    ("text", "value"),
    [("The area is πr² = 3.14 × 25 = 78.5.", "78.5"), (r"$\sqrt{16} = 4$", "4"), ("√2 is about 1.41", "1.41")],
)
def test_a_root_before_the_result_doesnt_touch_it(text: str, value: str) -> None:
    assert last_number(text) == {Fraction(value)}


@pytest.mark.parametrize("text", ["12.5%", "12.5 %", r"$12.5\%$", "１２．５％", "12.5 percent", r"\boxed{12.5\%}"])
def test_a_percentage_is_a_number_of_hundredths_too(text: str) -> None:
    """As for math-verify 0.9.0, whose `verify` takes 50% for 50 and for 0.5; GSM8K's answers in percent lack the sign."""
    assert last_number(text) == {Fraction(25, 2), Fraction(1, 8)}


@pytest.mark.parametrize(
    ("said", "reference", "value"),
    [
        (r"So $x = \boxed{\frac{1}{4}}$.", r"\frac{3}{4}", 0.0),
        (r"So $x = \boxed{0.75}$.", r"\frac{3}{4}", 1.0),
        ("The area is 9 cm^2.", "25 cm^2", 0.0),
        ("The area is 2.", "25 cm^2", 0.0),
        (r"So the total is \boxed{$9{,}500}.", "500", 0.0),
        ("It is 30.", "3:30", 0.0),
        ("It is 3.5 hours.", "3:30", 1.0),
        ("They have 4 million.", "4", 1.0),
        ("They have 4,000,000.", "4 million", 1.0),
        ("They have 4.", "4 million", 0.0),
        ("So it is 7.", "We add 3 and 4.\n#### 7", 1.0),
        ("So it is 7.", r"We add 3 and 4, which is $\boxed{7}$.", 1.0),
        ("So it is 0.5.", "50%", 1.0),
        ("So it is 50%.", "0.5", 1.0),
        ("So it is 5%.", "0.5", 0.0),
        ("So it is -5.", "- 5", 1.0),
        ("So it is 5.", "- 5", 0.0),
    ],
)
def test_an_answer_is_compared_with_the_reference_as_a_whole(said: str, reference: str, value: float) -> None:
    scorer = get_scorer("final_number")
    assert scorer.fault(Expected((reference,))) == ""
    assert scorer.score(Answer(said), Expected((reference,))) == value


@pytest.mark.parametrize(
    "reference",
    ["12", "-3", "$1,234.50", "25%", "7 apples", "12 m^2", "1 1/2", "3 / 4", r"\frac{3}{4}", r"\$3\frac{1}{2}", "x = 5",
     "5 + 7 = 12", "12 (twelve, that is 12.0)", "<answer>5</answer>", "0.333...", "60 km/h", "１２", "2^5", "- 5", "5."],
)  # fmt: skip
def test_one_number_is_a_reference(reference: str) -> None:
    assert get_scorer("final_number").fault(Expected((reference,))) == ""


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        *((text, "no number") for text in ("many", "x^2", r"\emptyset", r"\text{(B)}")),
        *(
            (text, "numbers in the answer")
            for text in ("3 or 4", "2x+3", "x = 5, y = 6", "3 hours 30 minutes", "10-15", "5 < 6")
        ),
        *(
            (text, "isn't a number")
            for text in (r"\sqrt{2}", r"\frac{\pi}{4}", "(3,5)", "[2,5)", "x + 1", "1+x", "5x", "x > 5")
        ),
        *((text, "isn't a number") for text in (r"x \ge 5", "1/2/2024", "1,2,3", r"\pm 3", "3i", "11_2", "5/x")),
    ],
)
def test_a_reference_that_isnt_one_number_is_a_fault(reference: str, fault: str) -> None:
    assert fault in get_scorer("final_number").fault(Expected((reference,)))


def test_a_reference_as_long_as_a_book_is_a_fault_at_once() -> None:
    fault = get_scorer("final_number").fault(Expected(("word " * 10_000_000,)))
    assert "is 50,000,000 characters long, too long for a number" in fault
    assert len(fault) < 200


def _flexible_extract(text: str) -> Fraction:
    """What lm-evaluation-harness's gsm8k makes of an answer: the last match of its pattern, without commas and dollars."""
    (folder,) = find_spec("lm_eval").submodule_search_locations  # type: ignore[union-attr, misc]
    settings = (Path(folder) / "tasks" / "gsm8k" / "gsm8k.yaml").read_text(encoding="utf-8")
    (pattern,) = re.findall(r'group_select: -1\s+regex_pattern: "(.*)"', settings)
    groups = re.findall(pattern, text)[-1]
    return Fraction(re.sub(r"[,$]|\.$", "", next(group for group in groups if group)))


@pytest.mark.parametrize(
    "text",
    ["He pays 3 * 6 = $18. So the answer is 18.", "That leaves 1,234 eggs.", "So she has $2,125.50 left.", "#### 72",
     "The total is 5 + 7 = 12 apples", "It falls to -3", "In all, 40 students and 3 teachers: 43"],
)  # fmt: skip
def test_plain_answers_are_read_as_the_harness_reads_them(text: str) -> None:
    assert last_number(text) == {_flexible_extract(text)}
