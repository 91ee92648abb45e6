"""Boards and comparisons over the API: the numbers of the command, and refusals that name what is known."""

import json
from io import StringIO
from urllib.parse import urlencode

import pytest
from django.core.management import call_command
from django.test import Client

from tests.arena.leaderboard.test_comparing import duels

pytestmark = pytest.mark.django_db


def test_a_comparison_is_that_of_the_command(authorised: Client, log) -> None:
    duels(log, "run:1", "run:2", a_wins=3, b_wins=5)
    answer = authorised.get(f"/api/comparisons?{urlencode({'a': 'run epoch 1', 'b': 'run epoch 2'})}").json()
    out = StringIO()
    call_command("compare", "run epoch 1", "run epoch 2", "--format", "json", stdout=out)
    assert answer["rows"] == json.loads(out.getvalue())
    assert (answer["state"], answer["counted"], answer["cluster"], answer["poll"]) == ("ok", 16, "voter", None)


def test_candidates_and_runs_are_compared_with_a_reference(authorised: Client, log) -> None:
    for epoch in (1, 2):
        duels(log, "base", f"run:{epoch}", a_wins=2, b_wins=2 + epoch)
    whole = authorised.get("/api/comparisons?reference=base+epoch+0&run=run&poll=duel").json()
    named = authorised.get(
        "/api/comparisons?reference=base+epoch+0&candidate=run+epoch+1&candidate=run+epoch+2&poll=duel"
    ).json()
    assert whole == named
    assert [row["contestant"] for row in whole["rows"]] == ["run epoch 2", "run epoch 1"]


def test_votes_that_allow_no_numbers_are_a_state_and_no_error(authorised: Client, log) -> None:
    duels(log, "a", "b", 1, 0)
    answer = authorised.get("/api/comparisons?a=a+epoch+0&b=b+epoch+0")
    assert (answer.status_code, answer.json()["state"], answer.json()["rows"]) == (200, "separated", [])


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ("a=run+epoch+1", 400, "?a=A&b=B"),
        ("a=run+epoch+1&b=nobody", 404, "Candidates: run epoch 1 ("),
        ("a=run+epoch+1&b=run+epoch+1", 400, "with itself"),
        ("a=run+epoch+1&b=run+epoch+2&poll=quartet", 404, "known: fixed, duel, ffa"),
        ("a=run+epoch+1&b=run+epoch+2&slice=mood%3Dbad", 404, "there is no slice"),
        ("a=run+epoch+1&b=run+epoch+2&as_of=2999-01-01", 400, "still to come"),
        ("a=run+epoch+1&b=run+epoch+2&as_of=soon", 400, "write a moment such as"),
        ("a=run+epoch+1&b=run+epoch+2&level=high", 400, "'level' is 'high', not a number"),
        ("a=run+epoch+1&b=run+epoch+2&level=nan", 400, "the level must be 0.5 to 0.9999"),
        ("a=run+epoch+1&b=run+epoch+2&cluster=city", 400, "known: none, voter, prompt, both"),
        ("reference=run+epoch+1&run=dream", 404, "known: run"),
    ],
)
def test_wrong_questions_are_problems(authorised: Client, log, query: str, status: int, detail: str) -> None:
    duels(log, "run:1", "run:2", 1, 1)
    answer = authorised.get(f"/api/comparisons?{query}")
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert detail in answer.json()["detail"]


def test_a_board_as_of_a_moment_and_of_a_slice(authorised: Client, log) -> None:
    duels(log, "run:1", "run:2", 2, 1)
    first = log.vote("duel", "run:1 run:2", "1").created_at
    duels(log, "run:1", "run:2", 0, 3)
    rows = authorised.get(f"/api/leaderboard?{urlencode({'as_of': first.isoformat()})}").json()["rows"]
    assert [row["votes"] for row in rows] == [7, 7]
    out = StringIO()
    call_command("leaderboard", "--slice", "tag=1girl", "--format", "json", stdout=out)
    assert authorised.get("/api/leaderboard?slice=tag%3D1girl").json()["rows"] == json.loads(out.getvalue())
    for query, status in (("as_of=2999-01-01", 400), ("as_of=soon", 400), ("slice=tag%3Dnothing", 404)):
        answer = authorised.get(f"/api/leaderboard?{query}")
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
