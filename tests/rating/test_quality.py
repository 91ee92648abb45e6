"""Match quality against the package, probabilities against the normal distribution."""

import json
import math
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest
import trueskill

from rating.quality import match_quality, outcome_probabilities

CASES = json.loads((Path(__file__).parents[1] / "data" / "votes" / "trueskill_cases.json").read_text())
BETA = 25 / 6


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_quality_is_the_packages(case: dict[str, Any]) -> None:
    assert match_quality(case["skills"], BETA) == pytest.approx(case["quality"], rel=1e-9, abs=1e-12)


def test_quality_of_unlike_ratings_is_the_packages() -> None:
    ratings = [(25.0, 8.0), (31.0, 2.0), (18.0, 1.0)]
    expected = trueskill.TrueSkill().quality([(trueskill.Rating(*rating),) for rating in ratings])
    assert match_quality(ratings, BETA) == pytest.approx(expected, rel=1e-9)


def test_an_even_match_of_known_contestants_is_perfect() -> None:
    assert match_quality([(25.0, 0.0)] * 4, BETA) == pytest.approx(1.0, abs=1e-15)


def test_nothing_overflows() -> None:
    assert match_quality([(0.0, 1e-6), (1e6, 1.0)], BETA) == 0.0
    assert outcome_probabilities((1e6, 1.0), (0.0, 1.0), BETA, 0.7) == (1.0, 0.0, 0.0)


def test_probabilities_of_a_duel() -> None:
    root = math.sqrt(2 * BETA**2 + 9 + 16)
    wins, draws, loses = outcome_probabilities((27.0, 3.0), (25.0, 4.0), BETA, 0.74)
    gap = NormalDist(2.0, root)
    assert loses == pytest.approx(gap.cdf(-0.74), abs=1e-15)
    assert draws == pytest.approx(gap.cdf(0.74) - gap.cdf(-0.74), abs=1e-15)
    assert wins + draws + loses == pytest.approx(1.0, abs=1e-15)
