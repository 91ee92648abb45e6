"""Figures: their numbers are those of the boards and of arithmetic by hand; pages, files, command; states."""

import csv
import io
import json
import math
import random
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from arena.evaluations.models import CheckpointScore, ProbeScore
from arena.gallery.models import Character, Prompt
from arena.leaderboard.figures.asking import Ask
from arena.leaderboard.figures.making import KINDS, made
from arena.leaderboard.figures.svg import DARK
from arena.leaderboard.log import Slice
from arena.leaderboard.models import Study
from arena.leaderboard.studying import renew, study
from arena.leaderboard.table import VOTED, board
from arena.votes.models import Ticket, Voter
from tests.arena.votes.building import make_sample

ALL = [(kind, metric) for kind, known in KINDS.items() for metric in (known.metrics or [""])]


def records(figure, table: int = 0) -> list[dict]:
    return figure.tables[table].as_records()


@pytest.fixture
def voted(log):
    """90 duels of five epochs after their base by 15 voters, better from epoch to epoch."""
    rng, names = random.Random(1), ["base", *(f"run:{epoch}" for epoch in range(1, 6))]
    voters = [Voter.objects.create() for _ in range(15)]
    for number in range(90):
        one, other = rng.sample(range(6), 2)
        first = rng.random() < 1 / (1 + math.exp(0.9 * (other - one)))
        log.vote("duel", f"{names[one]} {names[other]}", "1" if first else "2", voter=voters[number % 15])
    first = log.contestants["run:1"].checkpoint
    first.parent = log.contestants["base"].checkpoint
    first.save()
    return log


def score(contestant, value: float, **fields) -> CheckpointScore:
    values = {
        "encoder": "e", "encoder_name": "an encoder", "suite": "s", "threshold": 0.2, "images": 3, "missing": 0,
        "interval": "t",
        "difference": value, "difference_low": value - 0.05, "difference_high": value + 0.05, "same_rate": 1 - value,
        "reference_difference": 0.05, "floor_difference": 0.5, "notice": "of tests alone",
    }  # fmt: skip
    return CheckpointScore.objects.create(contestant=contestant, **{**values, **fields})


@pytest.mark.parametrize("metric", VOTED)
@pytest.mark.parametrize("poll", ["", "duel"])
def test_ratings_are_the_rows_of_the_board(voted, metric: str, poll: str) -> None:
    rows, found = board(metric, poll or None).rows, made(Ask("ratings", metric, poll))
    same = ("contestant", "run", "epoch", "value", "low", "high", "votes", "provisional")
    assert [{name: row[name] for name in same} for row in records(found)] == [
        {name: getattr(row, name) for name in same} for row in rows
    ]


def test_every_win_is_counted_once(log) -> None:
    """By hand: a beat b twice and lost once, drew with c once; a pick of four says nothing about the losers."""
    for names, outcome in (("a b", "1"), ("b a", "2"), ("a b", "2"), ("a c", "1=2")):
        log.vote("fixed", names, outcome)
    log.vote("ffa", "a b c d", "2")
    found = {(row["contestant"], row["against"]): row for row in records(made(Ask("wins")))}
    totals = {frozenset(pair): row for pair, row in found.items()}
    name = {key: str(log.contestants[key]) for key in "abcd"}

    def met(one: str, other: str) -> tuple[int, int, int]:
        row = totals[frozenset((name[one], name[other]))]
        straight = row["contestant"] == name[one]
        return (row["won"], row["drawn"], row["lost"]) if straight else (row["lost"], row["drawn"], row["won"])

    assert met("a", "b") == (2, 0, 2)
    assert met("a", "c") == (0, 1, 0)
    assert met("b", "d") == (1, 0, 0)
    assert frozenset((name["c"], name["d"])) not in totals


@pytest.mark.parametrize("metric", ["elo", "elo-twa", "trueskill"])
def test_a_history_ends_where_the_board_stands(voted, metric: str) -> None:
    last: dict[str, float] = {}
    for row in records(made(Ask("history", metric))):
        last[row["contestant"]] = row[metric]
    rows = board(metric).rows
    assert last == {row.contestant: row.mu if metric == "trueskill" else row.value for row in rows}


def test_a_trend_is_the_difference_of_the_order_free_board(voted) -> None:
    found = made(Ask("trend", run="run"))
    value = {row.contestant: row.value for row in board("joint").rows}
    rows = records(found)
    assert [row["epoch"] for row in rows] == ["start", "1", "2", "3", "4", "5"]
    for row in rows:
        assert row["gain"] == pytest.approx(value[row["contestant"]] - value["base epoch 0"], abs=1e-6)
    pairs = records(found, 1)
    assert len(pairs) == 15
    for pair in pairs:
        assert pair["low"] < pair["difference"] < pair["high"]
        assert pair["verdict"] == ("better" if pair["low"] > 0 else "worse" if pair["high"] < 0 else "undecided")
        assert (pair["p"] < 0.05) == (pair["verdict"] != "undecided")
    width = {row["epoch"]: row["high"] - row["low"] for row in rows}
    of_pairs = {pair["epoch"]: pair["high"] - pair["low"] for pair in pairs if pair["against"] == "start"}
    assert all(width[epoch] < of_pairs[epoch] for epoch in of_pairs), "five gains need less than fifteen pairs"


def test_who_cannot_be_placed_takes_no_trend_away(voted) -> None:
    """One that lost everything, also in four-way votes, is left out; the others keep their order-free strengths."""
    before = records(made(Ask("trend", run="run")))
    for _ in range(3):
        voted.vote("duel", "run:1 hopeless", "1")
    assert [row["gain"] for row in records(made(Ask("trend", run="run")))] == pytest.approx(
        [row["gain"] for row in before], abs=1e-6
    )
    for _ in range(3):
        voted.vote("ffa", "run:2 run:3 run:1 hopeless", "1")
    assert [row["epoch"] for row in records(made(Ask("trend", run="run")))] == [row["epoch"] for row in before]


def test_ratings_over_votes_need_no_finite_likelihood(log) -> None:
    for _ in range(3):
        log.vote("duel", "a b", "1")
    assert made(Ask("history", "elo")).state == "ok"
    assert made(Ask("agreement", "ccip-difference")).state == "separated"


def test_one_epoch_against_another_is_answered(client: Client, voted) -> None:
    page = client.get("/figures/trend/", {"run": "run", "later": "5", "earlier": "start"}).content.decode()
    pair = next(
        row for row in records(made(Ask("trend", run="run")), 1) if (row["epoch"], row["against"]) == ("5", "start")
    )
    assert f'data-verdict="{pair["verdict"]}"' in page
    answer = client.get("/figures/trend/", {"run": "run", "later": "99"})
    assert answer.status_code == 404
    assert "start, 1, 2, 3, 4, 5" in answer.content.decode()
    assert 'data-verdict="undecided"' in client.get("/figures/trend/?run=run&later=2&earlier=2").content.decode()


def test_seats_are_those_of_the_votes(log) -> None:
    for outcome in "1112":
        log.vote("duel", "a b", outcome)
    for outcome in "1234444":
        log.vote("ffa", "a b c d", outcome)
    rows = [
        (row["poll"], row["seat"], row["wins"], row["votes"], row["percent"]) for row in records(made(Ask("seats")))
    ]
    assert rows[:2] == [("duel", 1, 3, 4, 75.0), ("duel", 2, 1, 4, 25.0)]
    assert [row[2] for row in rows[2:]] == [1, 1, 1, 4]


def test_scores_stand_best_first_and_incomplete_ones_last_with_their_notice(client: Client, voted) -> None:
    score(voted.contestants["run:1"], 0.3)
    score(voted.contestants["run:2"], 0.2, missing=1)
    found = made(Ask("ratings", "ccip-difference"))
    assert [(row["epoch"], row["difference"], row["missing"]) for row in records(found)] == [(1, 0.3, 0), (2, 0.2, 1)]
    rows = [row for row in board("ccip").rows if row.value is not None]
    shown = [(row["contestant"], row["difference"], row["low"], row["high"]) for row in records(found)]
    assert shown == [(row.contestant, row.value, row.low, row.high) for row in rows]
    assert [row["epoch"] for row in records(made(Ask("ratings", "ccip-same-rate")))] == [1, 2]
    assert "of tests alone" in client.get("/figures/ratings/?metric=ccip-difference").content.decode()


def test_agreement_names_the_pairs_that_differ(voted) -> None:
    """The metric puts the run in the order of the strengths, but for one that it puts last."""
    strengths = {row.contestant: row.value for row in board("joint").rows}
    order = sorted(voted.contestants.values(), key=lambda one: strengths[str(one)])
    for place, contestant in enumerate(order):
        score(contestant, 0.9 if place == 5 else 0.5 - place / 20)
    found = made(Ask("agreement", "ccip-difference"))
    share, kendall, _ = records(found)
    assert (share["pairs"], share["value"]) == (15, pytest.approx(10 / 15))
    assert kendall["value"] == pytest.approx(5 / 15)
    assert share["low"] is None, "six contestants are too few for an interval"
    contrary = records(found, 2)
    assert len(contrary) == 5
    assert {row["people_prefer"] for row in contrary} == {str(order[5])}
    assert [row["sure"] for row in contrary] == sorted((row["sure"] for row in contrary), reverse=True)


def test_disagreements_show_images_but_none_that_is_kept_back(client: Client, voted) -> None:
    strengths = {row.contestant: row.value for row in board("joint").rows}
    worst, *_, best = sorted(voted.contestants.values(), key=lambda one: strengths[str(one)])
    prompts = []
    for name in ("mei", "tom"):
        character = Character.objects.create(name=name)
        prompts.append(
            Prompt.objects.create(
                prompt_set=voted.polls["fixed"].prompt_set, text=f"{name}, smile", character=character
            )
        )
    samples = {(one.pk, prompt.pk): make_sample(one, prompt, 7) for one in (best, worst) for prompt in prompts}
    for one, value in ((best, 0.4), (worst, 0.1)):
        images = [{"key": [prompt.character.name, prompt.text, 7], "difference": value} for prompt in prompts]
        score(one, value, result={"images": images})
    page = client.get("/figures/agreement/").content.decode()
    for sample in samples.values():
        assert f'src="/samples/{sample.pk}.png"' in page
    assert "0.400 against 0.100" in page
    vote = voted.vote("fixed", "run:1 run:2", "1", prompt=prompts[0])
    matchup = vote.ticket.matchup
    matchup.seed = 7
    matchup.save()
    Ticket.objects.create(voter=Voter.objects.create(), matchup=matchup)
    page = client.get("/figures/agreement/").content.decode()
    kept = samples[best.pk, prompts[0].pk]
    assert f"/samples/{kept.pk}.png" not in page
    assert f'src="/samples/{samples[best.pk, prompts[1].pk].pk}.png"' in page
    assert "1 more pair of images is being judged" in page


@pytest.mark.parametrize(("kind", "metric"), ALL)
def test_every_figure_says_why_it_is_empty(client: Client, log, kind: str, metric: str) -> None:
    page = client.get(f"/figures/{kind}/", {"metric": metric})
    assert page.status_code == 200
    assert "data-state=" in page.content.decode()
    picture = client.get(f"/figures/{kind}.svg", {"metric": metric})
    assert picture["Content-Type"] == "image/svg+xml"
    assert made(Ask(kind, metric)).message.split(".")[0].split()[0] in picture.content.decode()


@pytest.mark.parametrize(
    ("votes", "state"),
    [
        ([], "no-votes"),
        ([("fixed", "run:1 run:2", "1=2")] * 3, "all-draws"),
        ([("duel", "run:1 run:2", "1"), ("duel", "c d", "1")], "disconnected"),
        ([("duel", "run:1 run:2", "1")] * 3, "separated"),
    ],
)
def test_votes_that_allow_no_trend_say_so(log, votes: list[tuple[str, str, str]], state: str) -> None:
    log.contestant("run:1")
    for vote in votes:
        log.vote(*vote)
    found = made(Ask("trend", run="run"))
    assert (found.state, found.draw, bool(found.message)) == (state, None, True)


@pytest.mark.parametrize(("kind", "metric"), ALL)
def test_every_figure_can_be_downloaded(client: Client, voted, kind: str, metric: str) -> None:
    for place, contestant in enumerate(voted.contestants.values()):
        score(contestant, 0.1 + place / 20, top1=0.5 + place / 20)
        for name in ProbeScore.Name:
            ProbeScore.objects.create(contestant=contestant, probe=name, suite="s", images=3, value=place / 20)
    columns = made(Ask(kind, metric)).tables[0].columns
    for form, beginning in {"svg": "<svg", "png": "\x89PNG", "csv": f"{columns[0].name},{columns[1].name}"}.items():
        answer = client.get(f"/figures/{kind}.{form}", {"metric": metric})
        assert answer.status_code == 200
        assert answer["Content-Disposition"].endswith(f'.{form}"')
        assert answer.content.startswith(beginning.encode("latin-1"))


def test_an_embedded_picture_is_narrow_and_dark_on_request(client: Client, voted) -> None:
    pictures = {
        query: client.get(f"/figures/trend.svg?run=run{query}").content.decode()
        for query in ("", "&narrow=1", "&dark=1", "&narrow=1&dark=1")
    }
    for query, picture in pictures.items():
        assert ('width="336"' in picture) is ("narrow" in query)
        assert ('fill="#ffffff"' in picture) is ("dark" not in query)
        assert ('fill="#1e1b29"' in picture) is ("dark" in query)
        assert not ("dark" in query and any(f'"{colour}"' in picture for colour in DARK))
    embedded = client.get(f"/runs/{voted.contestants['run:1'].checkpoint.run.name}/").content.decode()
    for query in ("", "narrow=1", "dark=1", "narrow=1&amp;dark=1"):
        assert f'/figures/trend.svg?run=run{"&amp;" if query else ""}{query}"' in embedded


def test_files_hold_whole_numbers(client: Client, voted) -> None:
    lines = csv.DictReader(io.StringIO(client.get("/figures/ratings.csv?metric=elo").content.decode()))
    assert [float(line["value"]) for line in lines] == [row.value for row in board("elo").rows]


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/figures/nope/", "trend"),
        ("/figures/ratings/?metric=nope", "trueskill"),
        ("/figures/wins/?poll=nope", "duel"),
        ("/figures/wins/?slice=nope", "character"),
        ("/figures/trend/?run=nope", "run"),
        ("/figures/wins/?population=nope", "people"),
        ("/figures/wins.csv?table=nope", "pairs"),
        ("/figures/nope.svg", "trend"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(client: Client, voted, path: str, known: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert known in answer.content.decode()


def test_the_command_writes_what_the_page_shows(client: Client, voted, tmp_path) -> None:
    out = StringIO()
    call_command("figure", "trend", "--run", "run", "--format", "json", stdout=out)
    assert json.loads(out.getvalue())["epochs"] == records(made(Ask("trend", run="run")))
    call_command("figure", "wins", "--format", "png", "--out", str(tmp_path / "wins.png"))
    assert (tmp_path / "wins.png").read_bytes() == client.get("/figures/wins.png").content
    out = StringIO()
    call_command("figure", "trend", "--run", "run", "--format", "csv", "--table", "pairs", stdout=out)
    assert out.getvalue() == client.get("/figures/trend.csv?run=run&table=pairs").content.decode()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nope"], "known: ratings"),
        (["trend", "--run", "nope"], "known: run$"),
        (["trend", "--run", "run", "--format", "csv", "--table", "nope"], "known: epochs, pairs"),
        (["wins", "--poll", "ffa"], "no-votes"),
        (["wins", "--out", "/nowhere/at/all.svg"], "cannot write"),
    ],
)
def test_the_command_refuses_by_name(voted, arguments: list[str], text: str) -> None:
    with pytest.raises(CommandError, match=text):
        call_command("figure", *arguments)


def test_a_large_log_is_studied_by_the_worker(
    client: Client, voted, monkeypatch, django_capture_on_commit_callbacks
) -> None:
    sent: list[int] = []
    monkeypatch.setattr("arena.leaderboard.studying.SETTLED_AT_ONCE", 10)
    monkeypatch.setattr("arena.leaderboard.tasks.renew_study.delay", sent.append)
    with django_capture_on_commit_callbacks(execute=True):
        page = client.get("/figures/wins/").content.decode()
        client.get("/figures/wins/")
    assert 'data-state="unknown"' in page
    assert 'http-equiv="refresh"' in page
    row = Study.objects.get()
    assert sent == [row.pk], "asked once a minute"
    renew(Slice())
    page = client.get("/figures/wins/").content.decode()
    assert 'http-equiv="refresh"' not in page
    assert "90 votes counted" in page


def test_a_study_follows_votes_exclusions_and_age(voted, monkeypatch) -> None:
    monkeypatch.setattr("arena.leaderboard.studying.SETTLED_AT_ONCE", 10)
    first = renew(Slice())
    extra = voted.vote("duel", "base run:1", "1")
    found = study(Slice())
    assert (found.counted, found.behind) == (90, 1), "one vote of ninety can wait"
    assert study(Slice(), patient=True).counted == 90
    Study.objects.filter(pk=first.pk).update(updated_at=timezone.now() - timedelta(minutes=11))
    assert study(Slice(), patient=True).counted == 91
    voted.exclude(extra)
    assert study(Slice(), patient=True).counted == 90


def test_figures_of_slices_and_populations_are_their_own(voted) -> None:
    voted.vote("duel", "base run:1", "1", "simulated")
    assert made(Ask("wins", population="simulated")).votes == 1
    assert made(Ask("wins", cut="content_rating=general")).votes == 90
    assert made(Ask("wins", poll="ffa")).state == "no-votes"


def test_the_list_of_figures_leads_to_each(client: Client, log) -> None:
    page = client.get("/figures/").content.decode()
    for path in ("ratings/?metric=elo-twa&amp;poll=fixed", "ratings/?metric=ccip-difference", "trend/", "agreement/"):
        assert f'href="/figures/{path}"' in page
    assert 'href="/figures/"' in client.get("/boards/trueskill/").content.decode()
