"""The scale, the states and the search that the fits with a prior share."""

import math

import numpy as np
import pytest

from rating.errors import StateError
from rating.evidence import LOGISTIC, PRIOR_SD, UNITS_PER_NAT, log_normal, maximise, require_comparable
from rating.game import Game
from rating.outcomes import parse_outcome
from rating.trueskill2 import fit_trueskill2
from rating.votes import votes_of


def duel(left: str, right: str, outcome: str) -> Game:
    return Game((left, right), parse_outcome(outcome, 2), "duel")


def test_scale_of_trueskill() -> None:
    # Phi(d / (sqrt(2) beta)) against 1 / (1 + exp(-d / UNITS_PER_NAT)), at every gap within the bound of the constant.
    for gap in np.linspace(-40, 40, 801):
        normal = 0.5 * math.erfc(-gap / (math.sqrt(2) * 25 / 6) / math.sqrt(2))
        assert 1 / (1 + math.exp(-gap / UNITS_PER_NAT)) == pytest.approx(normal, abs=0.0095)
    assert pytest.approx(25 / 3) == PRIOR_SD * UNITS_PER_NAT
    assert pytest.approx(25 / 6 * math.sqrt(2)) == UNITS_PER_NAT * LOGISTIC


def test_separated_votes_can_be_rated_with_a_prior() -> None:
    votes = votes_of([duel("a", "b", "1")])
    require_comparable(votes)
    a, b = fit_trueskill2(votes, sd=1.0, left_seat=False).skills[0]
    # The gradient at the mode, -a + 1 / (1 + exp(a - b)), is 0, and by symmetry b = -a.
    assert b == pytest.approx(-a)
    assert a == pytest.approx(1 / (1 + math.exp(2 * a)), abs=1e-6)


@pytest.mark.parametrize(
    ("games", "said"),
    [
        ([], "No counted votes"),
        ([duel("a", "b", "1=2")], "draws"),
        ([duel("a", "b", "1"), duel("c", "d", "2")], "never met"),
    ],
)
def test_votes_that_determine_nothing(games: list[Game], said: str) -> None:
    with pytest.raises(StateError, match=said):
        require_comparable(votes_of(games))


def test_log_normal_is_flat_at_its_median() -> None:
    assert log_normal(0.3, 0.3, 1.5) == 0.0
    assert log_normal(0.3 * math.exp(3.0), 0.3, 1.5) == pytest.approx(-2.0)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_search_climbs_a_tilted_hill(dimensions: int) -> None:
    top = np.array([1.3, -2.0, 0.4])[:dimensions]
    shape = np.array([[2.0, 0.9, 0.3], [0.9, 1.0, -0.2], [0.3, -0.2, 0.8]])[:dimensions, :dimensions]

    def hill(x: np.ndarray) -> float:
        return -float((x - top) @ shape @ (x - top)) - 0.1 * float(((x - top) ** 4).sum())

    found = maximise(hill, np.zeros(dimensions), step=1.0, tolerance=1e-4, limit=500)
    np.testing.assert_allclose(found, top, atol=5e-4)


def test_the_search_keeps_its_limit() -> None:
    asked = []

    def endless(x: np.ndarray) -> float:
        asked.append(x.copy())
        return float(x.sum())

    maximise(endless, np.zeros(2), step=1.0, tolerance=1e-9, limit=40)
    assert len(asked) <= 42
