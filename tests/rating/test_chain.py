"""The package's own chain, against its published figures and its answers in 60-digit arithmetic."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest

from rating.chain import rate_as_package
from rating.margins import margin_of

CASES = json.loads((Path(__file__).parents[1] / "data" / "votes" / "trueskill_cases.json").read_text())
BETA, TAU = 25 / 6, 25 / 300
every_case = pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])


def rated(case: dict[str, Any], min_delta: float) -> list[list[float]]:
    order = sorted(range(len(case["ranks"])), key=case["ranks"].__getitem__)
    ranks = [case["ranks"][at] for at in order]
    after = rate_as_package(
        [case["skills"][at][0] for at in order],
        [case["skills"][at][1] ** 2 + TAU**2 for at in order],
        [one == other for one, other in itertools.pairwise(ranks)],
        BETA,
        margin_of(case["draw_probability"], BETA),
        min_delta=min_delta,
    )
    found = {at: [mean, math.sqrt(variance)] for at, (mean, variance) in zip(order, after, strict=True)}
    return [found[at] for at in range(len(order))]


def furthest(found: list[list[float]], expected: list[list[float]]) -> float:
    return max(abs(x - y) for one, other in zip(found, expected, strict=True) for x, y in zip(one, other, strict=True))


@every_case
def test_60_digit_arithmetic_says_the_same(case: dict[str, Any]) -> None:
    # Two of the upsets are beyond the package's own doubles, where it raises FloatingPointError.
    assert furthest(rated(case, 1e-13), case["mpmath"]) <= 1e-9


@every_case
def test_the_package_stops_at_the_same_sweep(case: dict[str, Any]) -> None:
    if "default" in case:
        assert furthest(rated(case, 1e-4), case["default"]) <= 1e-12
    if "published" in case:
        assert furthest(rated(case, 1e-4), case["published"]) <= 7e-4


@every_case
def test_the_margin_is_the_packages(case: dict[str, Any]) -> None:
    assert margin_of(case["draw_probability"], BETA) == pytest.approx(case["margin"], abs=1e-12)


@pytest.mark.parametrize("gap", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("ties", [(False, False, False), (True, False, True), (True, True, True)])
def test_no_gap_is_too_large(gap: float, ties: tuple[bool, ...]) -> None:
    for margin in (0.0, 0.74):
        after = rate_as_package([0.0, gap, 2 * gap, 3 * gap], [1.0, 4.0, 1.0, 0.01], ties, BETA, margin)
        assert all(math.isfinite(mean) and 0 < variance <= 4 for mean, variance in after)
