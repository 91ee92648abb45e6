"""The commands of `python -m rating`: what they print, and what they refuse."""

import csv
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from rating.simulation import World
from rating.trueskill import TrueSkillSystem
from rating.votefile import read_votes
from tests.rating.command import SYSTEMS, rating, rows, written

COMMON = {
    "contestant", "value", "low", "high", "rank_low", "rank_high", "votes", "wins", "draws", "losses", "tier",
    "best_probability",
}  # fmt: skip


@pytest.mark.parametrize("system", SYSTEMS)
def test_fit_finds_the_world_again(system: str, file: Path, world: World) -> None:
    found = rows("fit", file, "--system", system)
    assert set(found[0]) > COMMON
    assert [row["contestant"] for row in found] == list(world.contestants[::-1])
    assert all(row["low"] < row["value"] < row["high"] for row in found)
    assert all(1 <= row["rank_low"] <= place <= row["rank_high"] <= 6 for place, row in enumerate(found, start=1))
    assert sum(row["best_probability"] for row in found) == pytest.approx(1.0)
    votes = read_votes(file)
    assert sum(row["votes"] for row in found) == votes.sizes[votes.counted].sum()


def test_what_passes_is_shown_where_all_were_called_bad(file: Path) -> None:
    found = rows("fit", file)
    assert all(0 < row["passing_low"] < row["passing"] < row["passing_high"] < 1 for row in found)
    assert "passing" not in rows("fit", file, "--poll", "duel")[0]


def test_fit_prints_what_the_library_computes(file: Path) -> None:
    found = {row["contestant"]: row for row in rows("fit", file, "--system", "trueskill", "--poll", "ffa")}
    votes = read_votes(file)
    system = TrueSkillSystem()
    some = votes.take(votes.poll == votes.polls.index("ffa"))
    for name, estimate in system.standings(system.fold(system.start(), some)).items():
        assert (found[name]["mu"], found[name]["sigma"]) == (estimate.mu, estimate.sigma)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_same_command_prints_the_same(system: str, file: Path) -> None:
    command = ("fit", file, "--system", system, "--format", "csv")
    assert rating(*command).stdout == rating(*command).stdout


def test_csv_and_table_show_the_rows_of_json(file: Path) -> None:
    found = rows("fit", file)
    printed = list(csv.DictReader(io.StringIO(rating("fit", file, "--format", "csv").stdout)))
    assert [float(row["value"]) for row in printed] == [row["value"] for row in found]
    table = rating("fit", file).stdout
    assert "intervals by voter" in table
    assert all(row["contestant"] in table for row in found)


def test_few_votes_make_wide_intervals_but_no_wider_than_the_prior(tmp_path: Path) -> None:
    path = written(tmp_path / "votes.csv", "a|b,1", "b|c,1", "a|c,1", "a|b|c|d,2>1=4>3")
    for row in rows("fit", path, "--system", "trueskill", says="separated: "):
        assert 1.959964 * row["sigma"] < row["high"] - row["value"] < 1.96 * 25 / 3
    # Elo's K of 32 moves d by nothing; that is no knowledge about d.
    (newcomer,) = (row for row in rows("fit", path, "--system", "elo", says="separated: ") if row["contestant"] == "d")
    assert newcomer["value"] == pytest.approx(1500, abs=1)
    assert newcomer["high"] - newcomer["low"] > 400


def test_the_package_and_the_bootstrap_agree_with_our_own(file: Path) -> None:
    own, package = (
        rows("fit", file, "--poll", "fixed"),
        rows("fit", file, "--poll", "fixed", "--backend", "trueskill-package"),
    )
    assert [row["mu"] for row in own] == pytest.approx([row["mu"] for row in package], abs=1e-6)
    formula, resampled = (rows("fit", file, "--system", "joint", "--bootstrap", count) for count in (0, 200))
    widths = [[row["high"] - row["low"] for row in found] for found in (formula, resampled)]
    assert np.mean(widths[1]) == pytest.approx(np.mean(widths[0]), rel=0.2)


@pytest.mark.parametrize("system", ["elo", "trueskill", "joint"])
def test_compiled_loops_print_the_same(system: str, file: Path) -> None:
    plain, compiled = (rows("fit", file, "--system", system, *more) for more in ((), ("--compiled",)))
    assert [row["value"] for row in plain] == pytest.approx([row["value"] for row in compiled], abs=1e-9)
    done = rating("fit", file, "--compat", "--compiled")
    assert done.returncode == 1
    assert "compiled TrueSkill is our own only" in done.stderr


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    ("votes", "state"),
    [
        ([], "no-votes"),
        (["a|b,skip", "a|b,bad"], "no-votes"),
        (["a|b,1=2", "b|c,1=2"], "all-draws"),
        (["a|b,1", "a|b,2", "c|d,1", "c|d,2"], "disconnected"),
    ],
)
def test_no_numbers_where_votes_determine_none(system: str, votes: list[str], state: str, tmp_path: Path) -> None:
    done = rating("fit", written(tmp_path / "votes.csv", *votes), "--system", system, "--format", "json")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{state}: ")
    found = json.loads(done.stdout)
    assert all(row["value"] is None and row["rank_low"] is None and row["state"] == state for row in found)
    numbers = rows("fit", written(tmp_path / "more.csv", "a|b,1", "a|b,2", "a|b,1=2"), "--system", system)[0]
    assert all(list(row) == list(numbers) for row in found)
    as_csv = rating("fit", tmp_path / "votes.csv", "--system", system, "--format", "csv").stdout.splitlines()
    assert as_csv[:1] == ([",".join(numbers)] if found else [""])


def test_separated_votes_are_rated_only_by_systems_with_a_prior(tmp_path: Path) -> None:
    path = written(tmp_path / "votes.csv", "a|b,1", "b|c,1", "c|b,1")
    done = rating("fit", path, "--system", "joint", "--format", "json")
    assert done.returncode == 1
    assert done.stderr.startswith("separated: 2 groups")
    assert done.stderr.endswith("or use a system with a prior (trueskill, trueskill2).\n")
    assert [row["value"] for row in json.loads(done.stdout)] == [None, None, None]
    for system in ("elo", "trueskill", "trueskill2"):
        said = rating("fit", path, "--system", system).stderr
        assert said.endswith("set no finite distance. Collect more votes between them.\n")
        first = rows("fit", path, "--system", system, says="separated: 2 groups")[0]
        assert (first["contestant"], first["state"]) == ("a", "separated")
    for command in (("compare", path, "a", "b"), ("order", path), ("next", path)):
        assert rows(*command, "--system", "elo", says="separated: 2 groups")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("fit", "nowhere.csv"), "error: nowhere.csv: cannot be read"),
        (("fit", "FILE", "--poll", "elsewhere"), "no vote is of poll 'elsewhere'; polls: duel, ffa, fixed"),
        (("compare", "FILE", "contestant-0", "contestant-9"), "did you mean 'contestant-"),
        (("compare", "FILE", "contestant-0", "contestant-0"), "contestant-0"),
        (("compare", "FILE", "contestant-0"), "'contestant-0' alone makes no pair"),
        (("next", "FILE", "--cached", "nobody"), "no vote names 'nobody'"),
        (("fit", "FILE", "--system", "trueskill2", "--lineage", "nowhere.csv"), "nowhere.csv: cannot be read"),
        (("simulate", "FILE", "--write", "nowhere/votes.csv"), "there is no folder nowhere; make it first"),
    ],
)
def test_what_is_refused_is_named(arguments: tuple[str, ...], complaint: str, file: Path) -> None:
    done = rating(*(str(file) if word == "FILE" else word for word in arguments))
    assert (done.returncode, done.stdout) == (1, "")
    assert complaint in done.stderr


def test_order_shows_what_the_order_does(file: Path) -> None:
    found = rows("order", file, "--permutations", 20)
    assert {"contestant", "value", "order_mean", "order_sd", "first", "rank_low", "rank_high"} <= set(found[0])
    assert all(row["order_sd"] > 5 for row in found)
    for row in rows("order", file, "--permutations", 5, "--system", "joint"):
        assert row["order_sd"] == 0.0


def test_compare_decides_a_clear_pair_and_not_an_even_one(file: Path) -> None:
    (clear,) = rows("compare", file, "contestant-0", "contestant-5")
    assert clear["difference"] > clear["low"] > 0
    assert clear["probability"] > 0.99
    assert clear["verdict"] == "contestant-5"
    assert len(rows("compare", file)) == 15
    corrected = rows("compare", file, "--reference", "contestant-0")
    assert corrected[0]["contestant"] == "contestant-5"
    assert all(row["low"] < row["difference"] < row["high"] for row in corrected)


def test_next_names_matchups_with_their_probability(file: Path) -> None:
    found = rows("next", file, "--count", 3, "--seats", 4)
    assert [len(set(row["seats"].split("|"))) for row in found] == [4, 4, 4]
    assert all(0 < row["probability"] <= 1 for row in found)
    assert found == rows("next", file, "--count", 3, "--seats", 4)


def test_simulate_shows_coverage_and_writes_votes(file: Path, tmp_path: Path) -> None:
    found = rows("simulate", file, "--system", "joint", "--cluster", "none", "--repeats", 20)
    assert np.mean([row["coverage"] for row in found]) > 0.85
    assert {row["repeats"] for row in found} == {20}
    target = tmp_path / "again.csv"
    assert rating("simulate", file, "--write", target, "--seed", 3).returncode == 0
    first, again = read_votes(file), read_votes(target)
    assert again.seats.tolist() == first.seats.tolist()
    assert again.ranks.tolist() != first.ranks.tolist()


def test_battles_of_other_arenas_are_rated_as_they_are(tmp_path: Path) -> None:
    published = Path(__file__).parents[1] / "data" / "votes" / "genai_arena_t2i.csv"
    found = rows("fit", published, "--system", "joint")
    assert [row["contestant"] for row in found[:2]] == ["PlayGroundV2", "PixArtAlpha"]
    assert sum(row["wins"] for row in found) == 1068  # blind ones alone; both bad is no tie
    assert sum(row["draws"] for row in found) == 2 * 87
    as_json = tmp_path / "battles.json"
    as_json.write_text('[{"model_a": "a", "model_b": "b", "winner": "model_c"}]')
    done = rating("fit", as_json)
    assert (done.returncode, done.stdout) == (1, "")
    assert "battles.json, line 1: winner is 'model_c'; known: model_a" in done.stderr


def test_repeats_that_determine_nothing_are_left_out_and_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "votes.csv", *["a|b,1", "a|b,2", "b|c,1", "b|c,2", "c|a,1", "c|a,2"])
    done = rating("simulate", path, "--repeats", 30, "--format", "json")
    assert done.returncode == 0
    left_out = re.match(r"left out: (\d+) of 30 repeats\. The last one: .*only one side ever won", done.stderr)
    assert left_out
    assert 0 < int(left_out[1]) < 30
    found = json.loads(done.stdout)
    assert all(math.isfinite(row["rmse"]) for row in found)
    used = 30 - int(left_out[1])
    assert {row["repeats"] for row in found} == {used}
    assert used < 27  # more than a tenth is left out
    assert f"Bias and coverage are of the other {used} repeats only" in done.stderr
    once = written(tmp_path / "once.csv", "a|b,1", "b|a,1", "a|b,1")
    done = rating("simulate", once, "--repeats", 1, "--seed", 2)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: none of 1 repeats determines a rating by joint. The last one: ")


def test_resampled_errors_reach_a_comparison(file: Path) -> None:
    formula, resampled = (
        rows("compare", file, "contestant-0", "contestant-5", "--bootstrap", count)[0] for count in (0, 300)
    )
    assert formula["difference"] == resampled["difference"]
    assert formula["low"] != resampled["low"]
    widths = [row["high"] - row["low"] for row in (formula, resampled)]
    assert widths[1] == pytest.approx(widths[0], rel=0.2)


def test_the_table_tells_whose_votes_these_are(tmp_path: Path) -> None:
    path = written(tmp_path / "votes.csv", *["a|b,1", "a|b,2"] * 75)
    lines = path.read_text().splitlines()
    # v0 also casts the votes of v2 to v49, so 49 of 150; of the 102 voters left, 1 % is two: 50 votes.
    path.write_text(
        "\n".join([re.sub(r",v(\d+),", ",v0,", line) if 2 < at < 51 else line for at, line in enumerate(lines)])
    )
    head = rating("fit", path).stdout.replace("\n", " ")
    assert "102 voters, the busiest 1 % cast 33 %" in re.sub(r"\s+", " ", head)
    path.write_text(re.sub(r",v\d+,", ",,", path.read_text()))
    assert "voters unknown" in re.sub(r"\s+", " ", rating("fit", path).stdout)


def test_one_voter_cannot_be_resampled(tmp_path: Path) -> None:
    path = written(tmp_path / "votes.csv", "a|b,1", "a|b,2", "b|c,1", "b|c,2", "a|c,2")
    path.write_text(re.sub(r",v\d,", ",v,", path.read_text()))
    for command in (("fit", path), ("compare", path, "a", "b")):
        assert rows(*command, "--system", "joint")
    done = rating("fit", path, "--system", "joint", "--bootstrap", 50)
    assert (done.returncode, done.stdout) == (1, "")
    assert "resampling by voter needs 10 to draw from, these votes have 1" in done.stderr
