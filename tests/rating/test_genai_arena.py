"""The published boards of an image arena, GenAI-Arena (February 2024, six checkpoints), from its votes."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rating.battles import read_battles
from rating.elo import EloSystem
from rating.joint import fit_joint
from rating.order import order_study
from rating.votes import BAD, DRAW, PICK, SKIP, Votes

FILE = Path(__file__).parents[1] / "data" / "votes" / "genai_arena_t2i.csv"
# Its t2i_generation_leaderboard.csv: from blind votes, and from those as well whose voter knew the names.
BLIND = {
    "PlayGroundV2": 1151.1834, "PixArtAlpha": 1078.3583, "SDXL": 1027.2580, "SDXLTurbo": 972.0905,
    "OpenJourney": 921.3425, "LCM": 849.7672,
}  # fmt: skip
FULL = {
    "PlayGroundV2": 1150.9017, "PixArtAlpha": 1069.8150, "SDXL": 1035.4773, "SDXLTurbo": 969.4933,
    "OpenJourney": 906.3184, "LCM": 868.2154,
}  # fmt: skip
POINTS = 400 / math.log(10)
# Its fit: scikit-learn's C = 1 on every battle twice, for coefficients of log 10 a unit.
RIDGE = math.log(10) * math.sqrt(2)


def blind() -> Votes:
    return read_battles(FILE)


def full(folder: Path) -> Votes:
    """All battles as if they had been blind."""
    path = folder / "battles.csv"
    with FILE.open(newline="") as read, path.open("w", newline="") as written:
        csv.writer(written).writerows(row[:3] for row in csv.reader(read))
    return read_battles(path)


def bad_as_ties(votes: Votes) -> Votes:
    """As that board counts them."""
    bad = votes.kinds == BAD
    ranks = np.where(bad[:, None], 0, votes.ranks).astype(np.int16)
    return replace(votes, kinds=np.where(bad, DRAW, votes.kinds).astype(np.int8), ranks=ranks)


def board(votes: Votes, ridge: float | None) -> dict[str, float]:
    fit = fit_joint(bad_as_ties(votes), ties="half", left_seat=False, ridge=ridge)
    return dict(zip(fit.contestants, (1000 + POINTS * fit.estimate).tolist(), strict=True))


@pytest.mark.parametrize(("ridge", "within"), [(None, 0.2), (RIDGE, 0.12)])
def test_both_boards_come_out_as_published(ridge: float | None, within: float, tmp_path: Path) -> None:
    assert board(blind(), ridge) == pytest.approx(BLIND, abs=within)
    assert board(full(tmp_path), ridge) == pytest.approx(FULL, abs=within)


def test_most_ties_of_an_image_arena_are_both_bad() -> None:
    kinds = blind().kinds
    picks, ties, bad, named = (int((kinds == kind).sum()) for kind in (PICK, DRAW, BAD, SKIP))
    assert (picks, ties, bad, named) == (1068, 87, 296, 526)
    assert (ties + bad) / (picks + ties + bad) == pytest.approx(0.26, abs=0.005)
    assert bad / (ties + bad) == pytest.approx(0.75, abs=0.03)


# Of the rating's statistics: sd of the last value in points, Kendall's tau of two orders, how often the first leads.
@pytest.mark.parametrize(
    ("k", "sd", "tau", "leads"), [(4, 8.8, 1.00, 1.00), (16, 26.2, 0.90, 0.96), (32, 39.8, 0.80, 0.87)]
)
def test_the_order_of_the_votes_moves_elo_as_measured(k: float, sd: float, tau: float, leads: float) -> None:
    study = order_study(EloSystem(k=k), bad_as_ties(blind()), rng=np.random.default_rng(0), permutations=300)
    assert study.sd.mean() == pytest.approx(sd, rel=0.05)
    assert study.kendall == pytest.approx(tau, abs=0.03)
    assert study.first[study.contestants.index("PlayGroundV2")] == pytest.approx(leads, abs=0.04)
