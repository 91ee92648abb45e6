"""TrueSkill in compat mode against the package, on real votes."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import trueskill

from rating.game import Game
from rating.gaussian import cdf, pdf, quantile
from rating.outcomes import parse_outcome
from rating.trueskill import TrueSkillSystem
from rating.votes import Votes, votes_of
from tests.rating.shared_data import SHARED, needs_shared
from tests.rating.trueskill_votes import fold, game, rate

STREAMS = json.loads((Path(__file__).parents[1] / "data" / "votes" / "trueskill_streams.json").read_text())


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_real_votes_come_out_as_by_the_package(name: str, real_votes: Callable[[str], Votes]) -> None:
    ratings = rate(TrueSkillSystem(compat=True), real_votes(name))
    for column, within in (("scipy", 1e-9), ("internal", 1e-5)):
        for one, other in zip(sorted(ratings), STREAMS[name][column], strict=True):
            assert ratings[one] == pytest.approx(other, abs=within)


def test_a_pick_of_several_in_compat_mode_is_what_the_package_makes_of_it() -> None:
    # The chain runs in the order of the seats: b won, then a, c, d as they sat.
    environment = trueskill.TrueSkill(backend=(cdf, pdf, quantile))
    rated = environment.rate([(environment.create_rating(),)] * 4, ranks=[1, 0, 1, 1])
    ratings = fold(game("acbd", "2"), compat=True)
    for name, (rating,) in zip("acbd", rated, strict=True):
        assert ratings[name] == pytest.approx((rating.mu, rating.sigma), abs=1e-9)


@needs_shared
def test_sushi_comes_out_as_by_the_package() -> None:
    rows = list(csv.reader((SHARED / "sushi_4way_polls.csv").read_text(encoding="utf-8").splitlines()))[1:]
    ranking = parse_outcome("1>2>3>4", 4)
    votes = votes_of([Game(tuple(row), ranking, "ffa") for row in rows])
    expected = json.loads((SHARED / "reference_results.json").read_text())["sushi_4way_polls"]
    for system in (TrueSkillSystem(compat=True), TrueSkillSystem(tau=25 / 300, draw_probability=0.1)):
        ratings = rate(system, votes)
        for name, rating in expected["trueskill_0.4.5_internal"].items():
            assert ratings[name] == pytest.approx(rating, abs=1e-5)


@needs_shared
def test_football_comes_out_as_by_the_package() -> None:
    text = (SHARED / "football_internationals_1990.csv").read_text(encoding="utf-8")
    outcomes = {"left": parse_outcome("1", 2), "right": parse_outcome("2", 2), "tie": parse_outcome("1=2", 2)}
    rows = csv.DictReader(text.splitlines())
    votes = votes_of([Game((row["left"], row["right"]), outcomes[row["winner"]], "p") for row in rows])
    ratings = rate(TrueSkillSystem(compat=True), votes)
    expected = json.loads((SHARED / "reference_results.json").read_text())["football_internationals_1990"]
    for name, rating in expected["trueskill_0.4.5_internal"].items():
        assert ratings[name] == pytest.approx(rating, abs=1e-5)
