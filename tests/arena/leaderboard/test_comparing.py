"""Is B better than A, by the command: the numbers of hand arithmetic, and a state where the votes allow none."""

import csv
import json
import math
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from arena.gallery.models import Contestant
from arena.leaderboard import answering
from arena.leaderboard.comparing import Comparing, compare_pair, compare_with
from arena.leaderboard.log import Slice
from arena.votes.models import Voter
from rating.errors import SettingError

ELO = 400 / math.log(10)


def duels(log, a: str, b: str, a_wins: int, b_wins: int, kind: str = "duel") -> None:
    """So many wins of each from either seat, every vote by another voter."""
    for left, right, wins in ((a, b, a_wins), (b, a, b_wins)):
        for _ in range(wins):
            for names, outcome in ((f"{left} {right}", "1"), (f"{right} {left}", "2")):
                log.voters["people"] = Voter.objects.create()
                log.vote(kind, names, outcome)


def pair(log, a: str, b: str, **options: object) -> Comparing:
    return compare_pair(log.contestants[a], log.contestants[b], Slice(), **options)


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("compare", *arguments, stdout=out)
    return out.getvalue()


def test_the_difference_is_the_log_odds_of_the_duels(log) -> None:
    duels(log, "run:1", "run:2", a_wins=8, b_wins=24)
    found = pair(log, "run:1", "run:2")
    (row,) = found.rows
    assert (found.state, found.counted, found.set_aside) == ("ok", 64, 0)
    assert row["difference"] == pytest.approx(ELO * math.log(24 / 8), abs=1e-6)
    assert (row["a"], row["b"]) == ("run epoch 1", "run epoch 2")
    assert (row["a_wins"], row["b_wins"], row["draws"]) == (16, 48, 0)
    assert row["always_low"] < row["low"] < row["difference"] < row["high"] < row["always_high"]
    assert row["probability"] > 0.99
    turned = pair(log, "run:2", "run:1").rows[0]
    assert turned["difference"] == pytest.approx(-row["difference"])
    assert turned["probability"] == pytest.approx(1 - row["probability"])


def test_the_verdict_names_the_better_one_and_needs_no_more_votes(log) -> None:
    duels(log, "run:1", "run:2", a_wins=8, b_wins=60)
    (row,) = pair(log, "run:1", "run:2").rows
    assert (row["verdict"], row["more_votes"]) == ("run epoch 2", 0)


def test_an_open_comparison_says_how_many_votes_it_takes(log) -> None:
    duels(log, "run:1", "run:2", a_wins=8, b_wins=10)
    (row,) = pair(log, "run:1", "run:2").rows
    assert row["verdict"] == "undecided"
    assert row["more_votes"] > 36
    assert row["more_duels"] > 0


def test_intervals_are_wider_where_few_voters_cast_the_votes(log) -> None:
    duels(log, "run:1", "run:2", a_wins=8, b_wins=24)
    log.voters["people"] = Voter.objects.create()
    for _ in range(12):
        log.vote("duel", "run:1 run:2", "2")
        log.vote("duel", "run:2 run:1", "1")
    apart, together = pair(log, "run:1", "run:2", cluster="none").rows[0], pair(log, "run:1", "run:2").rows[0]
    assert together["difference"] == apart["difference"]
    assert together["high"] - together["low"] > apart["high"] - apart["low"]


def test_groups_that_have_nothing_to_do_with_the_question_are_set_aside(log) -> None:
    duels(log, "run:1", "run:2", a_wins=2, b_wins=4)
    alone = pair(log, "run:1", "run:2").rows
    duels(log, "other:1", "other:2", a_wins=1, b_wins=1)
    duels(log, "run:2", "weak", a_wins=3, b_wins=0)
    found = pair(log, "run:1", "run:2")
    assert (found.state, found.counted, found.set_aside) == ("ok", 12, 10)
    assert found.rows == alone


def test_where_one_side_won_every_vote_the_direct_duels_are_evidence(log) -> None:
    duels(log, "run:1", "run:2", a_wins=3, b_wins=0)
    found = pair(log, "run:1", "run:2")
    assert found.duels is not None
    assert (found.duels["a"], found.duels["b"]) == ("run epoch 1", "run epoch 2")
    assert [found.duels[name] for name in ("a_wins", "b_wins", "draws")] == [6, 0, 0]
    # The Beta(12, 12) mixture against a fair coin: 2 x 12/24, then 2 x 13/25, and so on to 2 x 17/29.
    assert found.duels["e_value"] == pytest.approx(1 * 1.04 * 28 / 26 * 30 / 27 * 32 / 28 * 34 / 29)
    assert found.message.endswith(
        "Of direct duels run epoch 1 won 6, run epoch 2 0, 0 were draws: evidence 1.7 (20 is enough)."
    )


@pytest.mark.parametrize(
    ("b_wins", "state", "said"),
    [(0, "separated", "some never lost to the others"), (None, "no-votes", "No counted vote is about run epoch 2")],
)
def test_what_the_votes_do_not_allow_is_a_state(log, b_wins: int | None, state: str, said: str) -> None:
    duels(log, "run:1", "run:2" if b_wins is not None else "run:3", a_wins=3, b_wins=0)
    log.contestant("run:2")
    found = pair(log, "run:1", "run:2")
    assert (found.state, found.rows) == (state, [])
    assert said in found.message
    assert (found.duels is None) == (state == "no-votes")
    with pytest.raises(CommandError, match=f"{state}: "):
        printed("run epoch 1", "run epoch 2")


def test_two_that_never_met_and_draws_alone_are_states(log) -> None:
    duels(log, "a", "b", 1, 1)
    duels(log, "x", "y", 1, 1)
    assert pair(log, "a", "x").state == "disconnected"
    log.contestant("p")
    for _ in range(3):
        log.vote("fixed", "p q", "1=2")
    drawn = compare_pair(log.contestants["p"], log.contestants["q"], Slice("fixed"))
    assert (drawn.state, drawn.rows) == ("all-draws", [])


def test_the_best_of_several_epochs_is_corrected_for_having_been_picked(log) -> None:
    for epoch, wins in ((1, 6), (2, 7), (3, 9)):
        duels(log, "base", f"run:{epoch}", a_wins=6, b_wins=wins)
    candidates = [log.contestants[f"run:{epoch}"] for epoch in (1, 2, 3)]
    found = compare_with(log.contestants["base"], candidates, Slice())
    assert (found.reference, found.state) == ("base epoch 0", "ok")
    assert [row["contestant"] for row in found.rows] == ["run epoch 3", "run epoch 2", "run epoch 1"]
    best = found.rows[0]
    assert best["difference"] == pytest.approx(ELO * math.log(9 / 6), abs=1e-6)
    assert best["corrected"] < best["difference"], "the luck of the draw is taken away"
    assert [row["corrected"] for row in found.rows[1:]] == [None, None]
    single = pair(log, "base", "run:3").rows[0]
    assert best["high"] - best["low"] > single["high"] - single["low"], "all at once is wider than one alone"


def test_an_epoch_without_votes_that_compare_it_waits_and_takes_nobody_s_answer_away(log) -> None:
    for epoch, wins in ((1, 6), (2, 7)):
        duels(log, "base", f"run:{epoch}", a_wins=6, b_wins=wins)
    before = compare_with(log.contestants["base"], [log.contestants[f"run:{epoch}"] for epoch in (1, 2)], Slice())
    duels(log, "base", "run:3", a_wins=0, b_wins=2)
    log.contestant("run:4")
    candidates = [log.contestants[f"run:{epoch}"] for epoch in (1, 2, 3, 4)]
    found = compare_with(log.contestants["base"], candidates, Slice())
    assert (found.state, found.waiting) == ("ok", ["run epoch 3", "run epoch 4"])
    assert found.rows == before.rows
    assert (before.waiting, found.set_aside) == ([], 4)
    alone = compare_with(log.contestants["base"], candidates[2:], Slice())
    assert (alone.state, alone.waiting) == ("separated", ["run epoch 3", "run epoch 4"])
    nobody = compare_with(log.contestants["base"], candidates[3:], Slice())
    assert (nobody.state, nobody.message) == ("no-votes", "No counted vote is about run epoch 4 yet.")


def test_the_best_epoch_may_be_looked_at_after_every_vote(log) -> None:
    for epoch, wins in ((1, 6), (2, 60)):
        duels(log, "base", f"run:{epoch}", a_wins=6, b_wins=wins)
    found = compare_with(log.contestants["base"], [log.contestants[f"run:{epoch}"] for epoch in (1, 2)], Slice())
    best, other = found.rows
    assert best["always_low"] > 0 > other["always_low"]
    # Each of the two has half of the error.
    single = compare_pair(log.contestants["base"], log.contestants["run:2"], Slice(), level=0.975).rows[0]
    assert (best["always_low"], best["always_high"]) == pytest.approx((single["always_low"], single["always_high"]))


def test_poll_population_slice_and_moment_choose_the_votes(log) -> None:
    duels(log, "run:1", "run:2", a_wins=2, b_wins=1, kind="fixed")
    middle = log.vote("fixed", "run:1 run:2", "1").created_at
    duels(log, "run:1", "run:2", a_wins=1, b_wins=2)
    differences = {
        options: json.loads(printed("run epoch 1", "run epoch 2", "--format", "json", *options))[0]["difference"]
        for options in [("--poll", "fixed"), ("--poll", "duel"), ("--as-of", middle.isoformat())]
    }
    assert differences[("--poll", "duel")] == pytest.approx(ELO * math.log(2), abs=1e-6)
    assert differences[("--as-of", middle.isoformat())] == pytest.approx(differences[("--poll", "fixed")])
    with pytest.raises(CommandError, match="no-votes"):
        printed("run epoch 1", "run epoch 2", "--population", "simulated")


def test_the_command_prints_the_same_in_every_format(log) -> None:
    duels(log, "run:1", "run:2", a_wins=8, b_wins=24)
    names = ("run epoch 1", log.contestants["run:2"].checkpoint.sha256[:12])
    (row,) = json.loads(printed(*names, "--format", "json"))
    assert row == pair(log, "run:1", "run:2").rows[0]
    (line,) = csv.DictReader(StringIO(printed(*names, "--format", "csv")))
    assert float(line["difference"]) == row["difference"]
    table = printed(*names)
    assert f"{row['difference']:.2f}" in table
    assert "may be looked at after every vote" in table


def test_a_run_against_a_reference(log) -> None:
    for epoch in (1, 2):
        duels(log, "base", f"run:{epoch}", a_wins=2, b_wins=2 + epoch)
    rows = json.loads(printed("--reference", "base epoch 0", "--run", "run", "--format", "json"))
    assert [(row["contestant"], row["reference"]) for row in rows] == [
        ("run epoch 2", "base epoch 0"),
        ("run epoch 1", "base epoch 0"),
    ]
    assert "corrected for its choice" in printed("--reference", "base epoch 0", "run epoch 1")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["run epoch 1", "nobody"], r"'nobody': no such checkpoint\. Candidates: run epoch 1 \("),
        (["run epoch 1"], "name two checkpoints"),
        (["run epoch 1", "run epoch 1"], "cannot compare run epoch 1 with itself"),
        (["run epoch 1", "run epoch 2", "--poll", "quartet"], "no poll 'quartet'; known: fixed, duel, ffa"),
        (["run epoch 1", "run epoch 2", "--slice", "mood=bad"], "no slice 'mood=bad'"),
        (["run epoch 1", "run epoch 2", "--as-of", "2999-01-01"], "still to come"),
        (["run epoch 1", "run epoch 2", "--cluster", "city"], "no cluster 'city'; known: none, voter, prompt, both"),
        (["run epoch 1", "run epoch 2", "--level", "2"], r"the level must be 0\.5 to 0\.9999, not 2"),
        (["--reference", "run epoch 1"], "name at least one candidate"),
        (["--reference", "run epoch 1", "--run", "dream"], "no run 'dream' has checkpoints .* known: run"),
    ],
)
def test_wrong_questions_name_what_is_known(log, arguments: list[str], complaint: str) -> None:
    duels(log, "run:1", "run:2", 1, 1)
    with pytest.raises(CommandError, match=complaint):
        printed(*arguments)


def test_a_reference_among_its_candidates_is_refused(log) -> None:
    duels(log, "run:1", "run:2", 1, 1)
    both = list(Contestant.objects.all())
    with pytest.raises(SettingError, match="not among them"):
        compare_with(both[0], both, Slice())


def test_the_table_names_no_limit_that_nobody_can_use(log, monkeypatch: pytest.MonkeyPatch) -> None:
    duels(log, "run:1", "run:2", a_wins=8, b_wins=24)
    names = ("run epoch 1", "run epoch 2")
    assert "no limit yet" not in printed(*names)
    (row,) = json.loads(printed(*names, "--format", "json"))
    monkeypatch.setattr(answering, "LIMIT", 1.0)
    assert printed(*names).count("no limit yet") == 2
    assert json.loads(printed(*names, "--format", "json")) == [row], "programs get the numbers"
