"""The joint fit against published numbers and other packages' results on real votes."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rating.errors import StateError
from rating.game import Game
from rating.joint import JointFit, fit_joint
from rating.outcomes import Outcome, parse_outcome
from rating.stages import Ties
from rating.votes import DRAW, NOBODY, PICK, Votes, votes_of
from tests.rating.shared_data import SHARED, needs_shared

SHIPPED = Path(__file__).parents[1] / "data" / "votes"
REFERENCE: dict[str, Any] = json.loads((SHIPPED / "joint_reference.json").read_text())
# Davidson (1970), table 2: chocolate puddings i and j, then how often i, j and neither was preferred.
PUDDINGS = """
1 2 19 22 16   1 3 16 19 12   2 3 19 19 10   1 4 18 23 13   2 4 23 19  9   3 4 19 20 15   1 5 13 19 18   2 5 16 20 12
3 5 16 15 17   4 5 17 14 16   1 6 18 21 12   2 6 22 20 12   3 6 13 18 10   4 6 14 19 18   5 6 11 21 12
"""


def counted(names: list[str], rows: NDArray[np.intp]) -> tuple[Votes, NDArray[np.float64]]:
    """Rows of (left, right, left wins, right wins, draws) as one weighted vote for each outcome."""
    left, right, counts = np.repeat(rows[:, 0], 3), np.repeat(rows[:, 1], 3), rows[:, 2:].ravel()
    unknown = np.full(len(left), NOBODY, np.int32)
    votes = Votes(
        contestants=tuple(names),
        polls=("fixed",),
        prompts=(),
        voters=(),
        seats=np.stack([left, right], axis=1).astype(np.int32),
        ranks=np.tile(np.array([[0, 1], [1, 0], [0, 0]], np.int16), (len(rows), 1)),
        kinds=np.tile(np.array([PICK, PICK, DRAW], np.int8), len(rows)),
        poll=np.zeros(len(left), np.int32),
        prompt=unknown,
        voter=unknown,
        times=np.zeros(len(left)),
    )
    return votes, counts.astype(np.float64)


def chatbots(*, bad_is_a_draw: bool) -> tuple[Votes, NDArray[np.float64]]:
    rows = np.loadtxt(SHIPPED / "chatbot_arena_counts.csv", np.intp, delimiter=",", skiprows=1)
    names = sorted(REFERENCE["leaderbot"]["davidson"]["theta_centred"])
    rows[:, 4] += rows[:, 5] * bad_is_a_draw
    return counted(names, rows[:, :5])


def duels(name: str) -> Votes:
    """A shipped file of duels; "tie" is a draw there."""
    rows = csv.DictReader((SHIPPED / f"{name}.csv").read_text(encoding="utf-8").splitlines())
    listed = SHIPPED / f"{name.partition('_')[0]}_contestants.txt"
    names = listed.read_text(encoding="utf-8").splitlines() if listed.exists() else None
    outcomes = {"left": "1", "right": "2", "tie": "1=2", "draw": "1=2"}
    games = []
    for row in rows:
        seats = (row["left"], row["right"]) if names is None else (names[int(row["left"])], names[int(row["right"])])
        games.append(Game(seats, parse_outcome(outcomes[row["winner"]], 2), "fixed"))
    return votes_of(games)


def centred_logs(strengths: dict[str, float], names: tuple[str, ...]) -> NDArray[np.float64]:
    logs = np.log([strengths[name] for name in names])
    return logs - logs.mean()


def strengths_of(fit: JointFit) -> NDArray[np.float64]:
    return fit.estimate[: len(fit.contestants)]


@pytest.mark.parametrize("name", ["evalica_simple", "evalica_food", "llmfao_crowd"])
def test_draws_as_half_wins_are_what_evalica_fits(name: str) -> None:
    fit = fit_joint(duels(name), ties="half", left_seat=False)
    expected = centred_logs(REFERENCE["evalica_bradley_terry"][name], fit.contestants)
    np.testing.assert_allclose(strengths_of(fit), expected, rtol=0, atol=1e-8)


def test_bradley_terry_of_over_a_million_duels() -> None:
    votes, counts = chatbots(bad_is_a_draw=True)
    fit = fit_joint(votes, ties="half", left_seat=False, weights=counts)
    expected = centred_logs(REFERENCE["evalica_bradley_terry"]["chatbot_arena_counts_20240814"], fit.contestants)
    np.testing.assert_allclose(strengths_of(fit), expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("ties", "published"), [("davidson", 1.0100), ("rao-kupper", 1.0095)])
def test_two_laws_of_draws_on_the_chatbot_arena(ties: Ties, published: float) -> None:
    votes, counts = chatbots(bad_is_a_draw=False)
    fit = fit_joint(votes, ties=ties, left_seat=False, weights=counts)
    expected = REFERENCE["leaderbot"][ties.replace("-", "")]
    assert -fit.log_likelihood / counts.sum() == pytest.approx(published, abs=1e-4)
    assert -fit.log_likelihood / counts.sum() == pytest.approx(expected["nll"], abs=1e-6)
    theta = [expected["theta_centred"][name] for name in fit.contestants]
    np.testing.assert_allclose(strengths_of(fit), theta, rtol=0, atol=2e-5)
    # leaderbot keeps the logarithm of Rao and Kupper's margin.
    term = fit.estimate[-1] if ties == "davidson" else math.log(fit.estimate[-1])
    assert term == pytest.approx(expected["tie_param"], abs=2e-6)


def test_puddings_of_davidson() -> None:
    rows = np.array(PUDDINGS.split(), dtype=np.intp).reshape(-1, 5)
    rows[:, :2] -= 1
    votes, counts = counted(list("123456"), rows)
    fit = fit_joint(votes, left_seat=False, weights=counts)
    worth = np.exp(strengths_of(fit))
    np.testing.assert_allclose(worth / worth.sum(), [0.1388, 0.1730, 0.1617, 0.1654, 0.1587, 0.2024], rtol=0, atol=5e-5)
    assert fit.parameters[-1] == "tie:fixed"
    assert math.exp(fit.estimate[-1]) == pytest.approx(0.7468, abs=5e-5)


def test_four_teams_of_the_encyclopedia() -> None:
    # Wikipedia, "Bradley-Terry model", section Example: wins of the row over the column.
    wins = np.array([[0, 2, 0, 1], [3, 0, 5, 0], [0, 3, 0, 1], [4, 0, 3, 0]])
    left, right = np.nonzero(wins)
    rows = np.stack([left, right, wins[left, right], 0 * left, 0 * left], axis=1)
    votes, counts = counted(list("ABCD"), rows)
    fit = fit_joint(votes, left_seat=False, weights=counts)
    np.testing.assert_allclose(np.exp(strengths_of(fit)), [0.640, 1.043, 0.660, 2.270], rtol=0, atol=1e-3)


def test_international_football_has_no_estimate() -> None:
    with pytest.raises(StateError, match=r"never met|only one side ever won"):
        fit_joint(duels("football_1990_3000"))


@needs_shared
def test_all_international_football_has_no_estimate() -> None:
    rows = csv.DictReader((SHARED / "football_internationals_1990.csv").read_text(encoding="utf-8").splitlines())
    outcomes = {"left": Outcome("pick", (0, 1)), "right": Outcome("pick", (1, 0))}
    games = [Game((r["left"], r["right"]), outcomes.get(r["winner"], Outcome("draw", (0, 0))), "f") for r in rows]
    with pytest.raises(StateError, match="never met"):
        fit_joint(votes_of(games))


@needs_shared
def test_a_season_of_races() -> None:
    reference = json.loads((SHARED / "reference_results.json").read_text())["nascar_2002_PL_MLE_83"]
    rows = list(csv.reader((SHARED / "plackettluce_nascar.csv").read_text().splitlines()))[1:]
    races = [[str(int(float(driver))) for driver in row] for row in rows]
    with pytest.raises(StateError, match="only one side ever won"):
        fit_joint(placed(races), left_seat=False)  # four drivers only ever came last
    fitted = reference["theta_centred"]
    votes = placed([[driver for driver in race if driver in fitted] for race in races])
    fit = fit_joint(votes, left_seat=False)
    assert fit.log_likelihood == pytest.approx(-4191.0973, abs=1e-4)
    np.testing.assert_allclose(fit.estimate, [fitted[name] for name in fit.contestants], rtol=0, atol=1e-9)
    # Hunter (2004), section 5: the drivers that came first, second and third by average place; gammas of table 2.
    first, second, third = (fit.estimate[fit.contestants.index(name)] for name in leaders(votes))
    assert first - second == pytest.approx(math.log(0.1864 / 0.1096), abs=1e-3)
    assert second - third == pytest.approx(math.log(0.1096 / 0.0235), abs=1e-3)


def leaders(votes: Votes) -> list[str]:
    """The three with the best average place."""
    seated = votes.seats >= 0
    races = np.bincount(votes.seats[seated])
    average = np.bincount(votes.seats[seated], votes.ranks[seated]) / races
    return [votes.contestants[code] for code in np.argsort(average)[:3]]


@needs_shared
def test_rankings_of_four_as_choix_fits_them() -> None:
    reference = json.loads((SHARED / "reference_results.json").read_text())["sushi_4way_polls"]
    rows = list(csv.reader((SHARED / "sushi_4way_polls.csv").read_text(encoding="utf-8").splitlines()))[1:]
    fit = fit_joint(placed(rows), left_seat=False)
    theta = np.array([reference["choix_opt_rankings_alpha1e-6"][name] for name in fit.contestants])
    np.testing.assert_allclose(fit.estimate, theta - theta.mean(), rtol=0, atol=1e-6)


def placed(races: list[list[str]]) -> Votes:
    """Rankings with everybody listed in the order of arrival."""
    return votes_of([Game(tuple(race), Outcome("ranking", tuple(range(len(race)))), "race") for race in races])
