"""`python -m rating predict`: every system is scored on the same votes, none of which it has seen."""

import math
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from rating.evaluation import cluster_folds, cross_validate
from rating.joint import fit_joint
from rating.votefile import read_votes
from tests.rating.command import rating, rows, written


def by_system(*arguments: object) -> dict[str, dict]:
    return {row["system"]: row for row in rows("predict", *arguments)}


def test_systems_are_ranked_by_what_they_predict(file: Path) -> None:
    found = rows("predict", file, "--poll", "fixed")
    assert [row["log_loss"] for row in found] == sorted(row["log_loss"] for row in found)
    assert {row["system"] for row in found} == {"coin", "elo", "elo average", "trueskill", "joint"}
    assert len({row["votes"] for row in found}) == 1
    loss = {row["system"]: row["log_loss"] for row in found}
    assert loss["joint"] < loss["elo"] < loss["coin"]  # at K = 32 Elo wanders


@pytest.mark.parametrize(("poll", "seats"), [("duel", 2), ("ffa", 4)])
def test_a_coin_knows_nothing(poll: str, seats: int, file: Path) -> None:
    coin = by_system(file, "--poll", poll)["coin"]
    assert coin["log_loss"] == pytest.approx(math.log(seats), abs=1e-12)
    assert coin["brier"] == pytest.approx(1 - 1 / seats, abs=1e-12)
    assert coin["accuracy"] == pytest.approx(1 / seats, abs=1e-12)
    assert coin["ece"] == pytest.approx(0.0, abs=1e-12)


def test_the_joint_row_is_its_cross_validation(file: Path) -> None:
    votes = read_votes(file)
    votes = votes.take(votes.counted)
    folds = cluster_folds(votes, 4, np.random.default_rng(7))
    expected = cross_validate(votes, folds, partial(fit_joint, ridge=3.0), draws="halves")
    found = by_system(file, "--folds", 4, "--seed", 7)["joint"]
    assert found["votes"] == expected.votes
    for name in ("log_loss", "brier", "accuracy", "ece"):
        assert found[name] == pytest.approx(getattr(expected, name), abs=1e-12)


def test_nobody_is_scored_on_a_contestant_that_only_the_held_out_votes_know(tmp_path: Path) -> None:
    known = ["a|b,1", "a|b,2", "b|a,1", "b|a,2"] * 5
    path = written(tmp_path / "votes.csv", *known, "a|x,2", "x|a,2")
    found = rows("predict", path, "--cluster", "none", "--folds", 22, says="")
    assert {row["votes"] for row in found} == {22}
    command = ("predict", written(path, *known, "a|x,2"), "--cluster", "none")
    assert {row["votes"] for row in rows(*command, says="separated: ")} == {20}
    assert rating(*command).stderr.endswith(
        "left out: 1 of 21 votes, on contestants that the other folds do not know\n"
    )


def test_voters_who_saw_different_contestants_are_told_what_to_do(tmp_path: Path) -> None:
    path = written(tmp_path / "votes.csv", *["a|b,1", "a|b,2"] * 3, *["b|c,1", "b|c,2"] * 3)
    path.write_text(re.sub(r",v\d+,a", ",one,a", re.sub(r",v\d+,b", ",two,b", path.read_text())))
    done = rating("predict", path, "--folds", 2)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the other folds do not know; give --cluster none, or more --folds" in done.stderr
    assert {row["votes"] for row in rows("predict", path, "--cluster", "none")} == {12}


def test_fewer_voters_than_folds_are_refused(tmp_path: Path) -> None:
    done = rating("predict", written(tmp_path / "votes.csv", "a|b,1", "a|b,2", "b|a,1"), "--folds", 4)
    assert (done.returncode, done.stdout) == (1, "")
    assert "4 folds need 4 voters, these votes have 3; give fewer --folds, or --cluster none" in done.stderr
    done = rating("predict", tmp_path / "votes.csv", "--folds", 4, "--cluster", "none")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("4 folds need 4 votes, these votes have 3; give fewer --folds\n")
