"""The rules on arrays: who is found, who is not, and what that does to the first place (demand 12)."""

from dataclasses import replace

import numpy as np
import pytest

from arena.votes.screening_rules import (
    Choices,
    Consensus,
    Finding,
    choices_of,
    expected,
    one_sided,
    screen,
)
from rating.joint import fit_joint
from rating.votes import Votes
from tests.arena.votes.screening_worlds import CARELESS, RUNS, VOTERS, votes_with


def duels(seats: list[int]) -> Choices:
    """One voter's duels on ever new contestants, with the seat chosen in each."""
    shown = np.arange(2 * len(seats), dtype=np.int32).reshape(-1, 2)
    return Choices(np.zeros(len(seats), np.int32), shown, np.array(seats))


@pytest.mark.parametrize(
    ("left", "right", "found"),
    [(20, 0, True), (0, 20, True), (16, 0, False), (60, 40, False), (85, 15, True), (533, 467, False), (0, 0, False)],
)
def test_always_the_same_side_is_found_and_a_lean_is_not(left: int, right: int, found: bool) -> None:
    finding = one_sided(duels([0] * left + [1] * right))
    assert (finding is not None) == found


def test_the_finding_names_rule_version_and_numbers() -> None:
    finding = one_sided(duels([1] * 29 + [0]))
    assert finding == Finding("one-sided", False, finding.numbers)
    assert finding.reason.startswith("one-sided/1: seat 2 of 2 in 29 of 30 choices, p=")
    # 2 * (30 * .6^29 * .4 + .6^30), by hand.
    assert float(finding.numbers.rsplit("=")[1]) == pytest.approx(2 * (30 * 0.6**29 * 0.4 + 0.6**30), rel=0.05)
    assert one_sided(duels([1] * 60)).certain


def test_always_the_same_of_four_is_found_sooner() -> None:
    shown = np.arange(44, dtype=np.int32).reshape(-1, 4)
    assert one_sided(Choices(np.zeros(11, np.int32), shown, np.full(11, 2))) is not None
    assert one_sided(Choices(np.zeros(11, np.int32), shown, np.arange(11) % 4)) is None


def test_only_votes_with_one_best_are_choices() -> None:
    votes = votes_with("nobody", np.random.default_rng(1), seats=4).take(np.arange(6))
    ranks = np.array([[0, 1, 1, 1], [0, 0, 1, 2], [0, 0, 0, 0], [-1] * 4, [3, 2, 1, 0], [1, 0, 2, 2]], np.int16)
    kinds = np.array([0, 2, 1, 3, 2, 2], np.int8)
    found = choices_of(replace(votes, ranks=ranks, kinds=kinds))
    assert found.seat.tolist() == [0, 3, 1]


def test_the_consensus_leaves_the_voter_out_and_gives_everybody_one_voice() -> None:
    # Voters 1 to 6 prefer contestant 0; voter 0 said the opposite a hundred times.
    voter = np.array([0] * 100 + [1, 2, 3, 4, 5, 6], np.int32)
    seats = np.tile(np.array([[0, 1]], np.int32), (106, 1))
    seat = np.array([1] * 100 + [0] * 6)
    consensus = Consensus(Choices(voter, seats, seat), 2, np.ones(7, bool))
    share, known = consensus.without(0)
    assert share[0, 1] == pytest.approx(7 / 8)
    assert known.all()
    share, _ = consensus.without(1)
    assert share[0, 1] == pytest.approx(6 / 8)
    probability, known = expected(seats[:1], *consensus.without(0))
    assert probability[0] == pytest.approx([7 / 8, 1 / 8])
    assert known.tolist() == [True]


def test_pairs_make_the_choice_of_four_that_plackett_and_luce_give() -> None:
    worth = np.array([4.0, 3.0, 2.0, 1.0])
    share = worth[:, None] / (worth[:, None] + worth)
    probability, _ = expected(np.array([[2, 0, 3, 1]], np.int32), share, np.ones((4, 4), bool))
    assert probability[0] == pytest.approx([0.2, 0.4, 0.1, 0.3])
    probability, _ = expected(np.array([[2, 0, -1, -1]], np.int32), share, np.ones((4, 4), bool))
    assert probability[0] == pytest.approx([1 / 3, 2 / 3, 0, 0])


def test_nobody_is_found_where_too_few_others_voted() -> None:
    votes = votes_with("fan", np.random.default_rng(3))
    few = votes.take(votes.voter < 4)
    assert screen(few, RUNS) == {}


@pytest.mark.parametrize("seats", [2, 4])
@pytest.mark.parametrize("careless", ["left", "fan"])
def test_careless_voters_are_found_and_honest_ones_are_not(careless: str, seats: int) -> None:
    votes = votes_with(careless, np.random.default_rng(7), seats)
    found = screen(votes, RUNS)
    theirs = {name for name in votes.voters if votes.voters.index(name) < CARELESS}
    assert len(theirs & set(found)) >= CARELESS / 2
    assert len(set(found) - theirs) <= 1
    assert {finding.rule for name, finding in found.items() if name in theirs} == {
        {"left": "one-sided", "fan": "fan"}[careless]
    }


def test_a_random_voter_is_found_where_the_others_agree() -> None:
    rng = np.random.default_rng(2)
    votes = votes_with("random", rng)
    # Everybody else prefers the better contestant, nine times of ten.
    better = (votes.seats.argmin(axis=1) + (rng.random(len(votes)) < 0.1)) % 2
    honest = votes.voter >= CARELESS
    ranks = votes.ranks.copy()
    ranks[honest] = np.arange(2) != better[honest, None]
    found = screen(replace(votes, ranks=ranks), RUNS)
    assert {votes.voters[code] for code in range(CARELESS)} == set(found)
    assert {finding.rule for finding in found.values()} == {"random"}
    assert all("clear choices" in finding.reason for finding in found.values())


def first_place(votes: Votes, found: set[str]) -> str:
    """Who leads when these voters' votes are left out."""
    left_out = np.array([name in found for name in votes.voters])
    fit = fit_joint(votes.take(~left_out[votes.voter]))
    return fit.contestants[int(np.nanargmax(fit.estimate[: len(fit.contestants)]))]


def measure(careless: str, seats: int, taste: float, runs: int) -> dict[str, float]:
    """Shares of runs in which the truly best stands first, unscreened and screened; shares of voters found."""
    first = {"unscreened": 0, "screened": 0}
    honest = caught = 0
    for seed in range(runs):
        votes = votes_with(careless, np.random.default_rng(seed), seats, taste)
        found = set(screen(votes, RUNS))
        guilty = {votes.voters[code] for code in range(CARELESS)} if careless != "nobody" else set()
        first["unscreened"] += first_place(votes, set()) == votes.contestants[0]
        first["screened"] += first_place(votes, found) == votes.contestants[0]
        honest += len(found - guilty)
        caught += len(found & guilty)
    careful = VOTERS - (CARELESS if careless != "nobody" else 0)
    return {name: count / runs for name, count in first.items()} | {
        "honest found": honest / runs / careful, "careless found": caught / runs / CARELESS
    }  # fmt: skip


def test_a_fan_club_does_not_move_the_first_place_after_screening() -> None:
    measured = measure("fan", seats=4, taste=0.3, runs=8)
    assert measured["unscreened"] < 0.7
    assert measured["screened"] == 1
    assert measured["honest found"] <= 0.02


@pytest.mark.slow
@pytest.mark.parametrize("seats", [2, 4])
@pytest.mark.parametrize("careless", ["nobody", "random", "left", "fan"])
def test_the_first_place_holds_in_95_runs_of_100_after_screening(careless: str, seats: int) -> None:
    measured = measure(careless, seats, taste=0.3, runs=200)
    print(careless, seats, measured)
    assert measured["screened"] >= 0.95
    assert measured["honest found"] <= 0.02
