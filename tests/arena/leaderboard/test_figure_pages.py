"""Figures as pages, as files and by the command; what they refuse."""

import csv
import io
import json
import re
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from arena.evaluations.models import ProbeScore
from arena.gallery.models import Character, Prompt
from arena.leaderboard.figures.asking import Ask
from arena.leaderboard.figures.making import KINDS, made
from arena.leaderboard.figures.svg import DARK, spelled
from arena.leaderboard.table import board
from arena.votes.models import Ticket, Voter
from tests.arena.leaderboard.figure_log import records, score
from tests.arena.votes.building import make_sample

ALL = [(kind, metric) for kind, known in KINDS.items() for metric in (known.metrics or [""])]


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


def test_the_list_of_figures_leads_to_each(client: Client, log) -> None:
    page = client.get("/figures/").content.decode()
    for path in ("ratings/?metric=elo-twa&amp;poll=fixed", "ratings/?metric=ccip-difference", "trend/", "agreement/"):
        assert f'href="/figures/{path}"' in page
    assert 'href="/figures/"' in client.get("/boards/trueskill/").content.decode()


def test_a_trend_is_told_with_the_intervals_that_are_drawn(voted) -> None:
    """Those among all gains, which are narrower than those among all pairs."""
    found = made(Ask("trend", run="run"))
    last = records(found)[-1]
    assert f"({spelled(last['low'], 0)} to {spelled(last['high'], 0)})" in found.description
    pair = next(row for row in records(found, 1) if (row["epoch"], row["against"]) == ("5", "start"))
    assert spelled(pair["low"], 0) != spelled(last["low"], 0)
    dots = re.findall(r"<circle[^>]*><title>([^<]*)</title>", found.svg())
    assert [dot.rpartition(" (")[2] for dot in dots] == [
        f"{spelled(row['low'], 0)} to {spelled(row['high'], 0)})" for row in records(found)
    ]


def test_a_short_table_is_open_and_a_long_one_closed(client: Client, voted) -> None:
    assert re.search(r'id="table-epochs" open>', client.get("/figures/trend/?run=run").content.decode())
    assert re.search(r'id="table-history">', client.get("/figures/history/").content.decode())


def test_a_score_has_no_voters_to_choose(client: Client, voted) -> None:
    voted.vote("duel", "base run:1", "1", "simulated")
    score(voted.contestants["run:1"], 0.3)
    assert "population=simulated" in client.get("/figures/ratings/?metric=elo").content.decode()
    page = client.get("/figures/ratings/?metric=ccip-difference").content.decode()
    assert 'aria-label="Voters"' not in page
