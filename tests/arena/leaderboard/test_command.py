"""`manage.py leaderboard` prints the rows of the page."""

import csv
import json
import random
from dataclasses import asdict, fields
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from arena.leaderboard.models import RatingRun
from arena.leaderboard.printing import DIGITS
from arena.leaderboard.table import METRICS, Row, board
from arena.votes.models import Voter


def printed(*arguments: str) -> tuple[str, str]:
    """(stdout, stderr) of the command."""
    out, err = StringIO(), StringIO()
    call_command("leaderboard", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_json_is_the_rows_and_nothing_else(log) -> None:
    log.vote("duel", "a b", "1")
    log.vote("fixed", "b c", "1=2")
    assert json.loads(printed("--metric", "elo", "--format", "json")[0]) == [asdict(row) for row in board("elo").rows]


def test_trueskill_over_all_polls_is_the_default(log) -> None:
    log.vote("duel", "a b", "1")
    assert json.loads(printed("--format", "json")[0]) == [asdict(row) for row in board("trueskill").rows]


def test_a_board_without_numbers_says_why_beside_the_json(log) -> None:
    log.contestant("a")
    out, err = printed("--format", "json")
    assert json.loads(out)[0]["value"] is None
    assert "No votes yet" in err


def test_csv_has_one_line_a_row(log) -> None:
    log.vote("duel", "a b", "1")
    lines = list(csv.DictReader(StringIO(printed("--format", "csv")[0])))
    assert list(lines[0]) == [field.name for field in fields(Row)]
    assert [line["contestant"] for line in lines] == ["a epoch 0", "b epoch 0"]
    assert float(lines[0]["mu"]) == board("trueskill").rows[0].mu


def test_the_table_shows_names_as_they_are_and_what_was_counted(log) -> None:
    log.vote("duel", "[bold]a[/bold] b", "1")
    log.vote("duel", "b [bold]a[/bold]", "skip")
    out, _ = printed("--metric", "elo")
    assert "[bold]a[/bold] epoch 0" in out
    assert "1 votes counted, 0 both bad, 1 skipped, 0 excluded, 0 unverified" in out
    assert "depends on the order of the votes" in out


def test_the_table_of_elo_has_a_column_for_its_average(log) -> None:
    for outcome in "112":
        log.vote("duel", "a b", outcome)
    row = board("elo").rows[0]
    assert f"{row.average:.0f}" != f"{row.value:.0f}"
    out, _ = printed("--metric", "elo")
    assert "average" in out
    assert f"{row.average:.0f}" in out
    assert "average" not in printed("--metric", "trueskill")[0]
    assert f"{row.average:.0f}" in printed("--metric", "elo-twa")[0]


def test_markdown_is_a_table_and_what_the_board_says(log) -> None:
    for outcome in "112":
        log.vote("duel", "a|b c", outcome)
    lines = printed("--metric", "winrate", "--poll", "duel", "--format", "markdown")[0].splitlines()
    assert lines[0] == "## winrate, duel, people"
    assert lines[2].startswith("| rank | contestant | run | epoch | value | 95 % | P(best) |")
    assert lines[3].startswith("| ---: | --- | --- | ---: |")
    # a|b: 2.5 of 4; provisional, so in italics.
    assert lines[4].startswith(r"| *1-2* | *a\|b epoch 0* | *a\|b* | *0* | *62.5* |".replace(r"\\", "\\"))
    assert "- 3 votes counted, 0 both bad, 0 skipped, 0 excluded, 0 unverified" in lines
    assert "- All 2 contestants with votes are connected." in lines
    assert any(line.startswith("- duel: the left seat won 66.7 % of 3") for line in lines)
    assert any("winrate/1" in line and board("winrate", "duel").head.log_sha256 in line for line in lines)
    # Of TrueSkill the value is the score that ranks, the interval that of the skill.
    skill = printed("--metric", "trueskill", "--poll", "duel", "--format", "markdown")[0].splitlines()
    assert skill[2].startswith("| rank | contestant | run | epoch | value | μ, 95 % | P(best) |")


@pytest.mark.parametrize("metric", METRICS[:-1])
def test_every_format_tells_the_same_of_a_run_and_a_newcomer(log, metric: str) -> None:
    rng, names = random.Random(1), [f"run:{epoch}" for epoch in range(5)]
    voters = [Voter.objects.create() for _ in range(15)]
    for _ in range(120):
        kind = rng.choice(["fixed", "duel", "ffa"])
        seats = rng.sample(names, 4 if kind == "ffa" else 2)
        best = 1 + max(range(len(seats)), key=lambda at: names.index(seats[at]) + rng.gauss(0, 3))
        log.vote(kind, " ".join(seats), "1=2" if kind == "fixed" and rng.random() < 0.2 else str(best),
                 voter=rng.choice(voters))  # fmt: skip
    log.vote("duel", "run:0 run:5", "2", voter=voters[0])
    rows = board(metric).rows
    texts = {form: printed("--metric", metric, "--format", form)[0] for form in ("json", "csv", "markdown", "table")}
    assert json.loads(texts["json"]) == [asdict(row) for row in rows]
    lines = list(csv.DictReader(StringIO(texts["csv"])))
    for row, line in zip(rows, lines, strict=True):
        numbers = {name: None if line[name] == "" else float(line[name]) for name in ("value", "low", "high", "change")}
        assert numbers == {name: getattr(row, name) for name in numbers}
        assert (line["contestant"], line["rank"], line["votes"]) == (
            row.contestant, "" if row.rank is None else str(row.rank), str(row.votes),
        )  # fmt: skip
    cells = [[cell.strip(" *") for cell in line.split("|")[1:-1]] for line in texts["markdown"].splitlines()[4:10]]
    assert [cell[1] for cell in cells] == [row.contestant for row in rows]
    head, digits = board(metric).head, DIGITS.get(metric, 1)
    assert [cell[4] for cell in cells] == ["" if row.value is None else f"{row.value:.{digits}f}" for row in rows]
    for text in (texts["markdown"], " ".join(texts["table"].split())):
        assert f"{head.decided_pairs} of {head.pairs} pairs are decided" in text
        assert "121 votes counted, 0 both bad" in text
    assert sum(row.provisional for row in rows) == 1


def test_a_slice_and_a_moment_choose_the_votes(log) -> None:
    log.vote("duel", "a b", "1")
    moment = log.vote("fixed", "a b", "1").created_at.isoformat()
    log.vote("fixed", "a b", "1")
    votes = [
        json.loads(printed("--format", "json", *arguments)[0])[0]["votes"]
        for arguments in (["--slice", "tag=fixed"], ["--as-of", moment], ["--as-of", "2001-02-03"])
    ]
    assert votes == [2, 2, 0]


def test_poll_and_population_choose_the_votes(log) -> None:
    log.vote("duel", "a b", "1")
    log.vote("fixed", "a b", "1", "simulated")
    votes = {
        arguments: [row["votes"] for row in json.loads(printed("--format", "json", *arguments)[0])]
        for arguments in [("--poll", "duel"), ("--poll", "fixed"), ("--poll", "fixed", "--population", "simulated")]
    }
    assert list(votes.values()) == [[1, 1], [0, 0], [1, 1]]


def test_rebuild_replays_and_prints_the_same(log) -> None:
    log.vote("duel", "a b", "1")
    before = printed("--format", "json")
    RatingRun.objects.update(state=RatingRun.objects.get().state | {"bad": 99})
    assert printed("--format", "json", "--rebuild") == before
    assert RatingRun.objects.get().state["bad"] == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--metric", "glicko"], "known: trueskill, elo, elo-twa"),
        (["--poll", "quartet"], "known: fixed, duel, ffa"),
        (["--population", "robots"], "known: people, simulated"),
        (["--format", "yaml"], "invalid choice"),
        (["--slice", "tag=nothing"], "no tag 'nothing'; known: none"),
        (["--as-of", "yesterday"], "--as-of is 'yesterday'; write a moment such as"),
        (["--as-of", "2999-01-01"], "2999-01-01 00:00 is still to come"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(db, arguments: list[str], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        printed(*arguments)


def test_a_vote_that_cannot_be_rated_is_refused_by_its_number(log) -> None:
    log.vote("duel", "a b", "left")
    with pytest.raises(CommandError, match=r"vote 1 cannot be rated: .* VoteExclusion"):
        printed()


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_the_board_says_about_itself_stands_beside_rows_for_programs(log, form: str) -> None:
    log.vote("duel", "a b", "1")
    log.vote("duel", "b a", "1")
    head = board("elo", "duel").head
    out, err = printed("--metric", "elo", "--poll", "duel", "--format", form)
    assert err.startswith("elo, duel, people\n")
    for said in ("2 votes counted", head.methodology, head.log_sha256, "All 2 contestants", "the left seat won"):
        assert said in err
        assert said not in out
