"""What planning spares on given strengths."""

from statistics import NormalDist

import numpy as np
import pytest

from rating.matchmaking import Question
from rating.saving import expected_misorders, savings


def test_expected_misorders_by_hand() -> None:
    strengths = np.array([0.0, 1.0])
    shown = np.tile([0, 1], (9, 1))
    p = 1 / (1 + np.exp(-1.0))
    # The difference has the prior's variance 2 and nine answers of information p (1 - p).
    sd = (1 / (1 / 2 + 9 * p * (1 - p))) ** 0.5
    assert expected_misorders(strengths, Question(), shown) == pytest.approx(NormalDist().cdf(-1 / sd))


@pytest.mark.parametrize("question", [Question(), Question(4, "pick")], ids=["duel", "pick"])
def test_planning_needs_fewer_votes_than_balanced_random_for_the_same_order(question: Question) -> None:
    strengths = np.random.default_rng(1).normal(0.0, 1.0, 12)
    few, many = savings(strengths, question, [100, 1500], worlds=3)
    assert (few.votes, many.votes, many.contestants) == (100, 1500, 12)
    assert many.low < many.ratio < many.high < 1.0
    assert many.misordered < few.misordered
    assert all(one <= 1500 for one in many.planned)


def test_the_same_seed_gives_the_same_worlds() -> None:
    strengths = np.array([0.0, 0.3, 0.6])
    assert savings(strengths, Question(), [20], worlds=2) == savings(strengths, Question(), [20], worlds=2)
