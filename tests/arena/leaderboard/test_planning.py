"""Which matchups next: the command, the page, the worker's task."""

import json
import random
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from arena.evaluations.models import EvaluationRun
from arena.gallery.models import Prompt, Sample
from arena.leaderboard.models import MatchupPlan
from arena.leaderboard.planning import GPU_SECONDS, VOTER_SECONDS, make_plan, seconds_of
from arena.leaderboard.tasks import plan_matchups
from arena.votes.models import Vote, Voter


def voted(log) -> None:
    """a is better than b, and b than c, beyond doubt; c and d are about as good as each other."""
    rng = random.Random(5)
    for _ in range(25):
        voter = Voter.objects.create()
        for better, worse, chance in (("a", "b", 0.85), ("b", "c", 0.85), ("b", "d", 0.85), ("c", "d", 0.5)):
            left, right = (better, worse) if rng.random() < 0.5 else (worse, better)
            winner = better if rng.random() < chance else worse
            log.vote("duel", f"{left} {right}", "1" if winner == left else "2", voter=voter)


def planned(*arguments: str) -> dict:
    out = StringIO()
    call_command("plan", "--format", "json", *arguments, stdout=out)
    return json.loads(out.getvalue())


def test_open_pairs_come_before_settled_ones(log) -> None:
    voted(log)
    (first, *_) = planned("--count", "1")["matchups"]
    assert first["names"] == ["c epoch 0", "d epoch 0"]
    assert first["probability"] == 1.0
    assert (first["cells"], first["missing"], first["gpu_seconds"], first["per_gpu_second"]) == (1, 0, 0.0, None)
    assert first["per_voter_second"] == pytest.approx(first["value"] / VOTER_SECONDS)


def test_matchups_with_images_come_first_and_the_others_cost_the_device(log) -> None:
    voted(log)
    log.contestant("new", enrol=["duel"])
    EvaluationRun.objects.create(contestant=log.contestants["a"], gpu_seconds=6.0, done=3, total=3)
    rows = planned("--count", "6")["matchups"]
    assert [row["missing"] for row in rows] == sorted(row["missing"] for row in rows)
    new = next(row for row in rows if "new epoch 0" in row["names"])
    assert (new["cells"], new["missing"], new["gpu_seconds"]) == (0, 1, 2.0)
    assert new["per_gpu_second"] == pytest.approx(new["value"] / 2.0)
    assert new["per_second"] == pytest.approx(new["value"] / (VOTER_SECONDS + 2.0))


def test_images_of_different_prompts_do_not_meet(log) -> None:
    voted(log)
    other = Prompt.objects.create(prompt_set=log.polls["duel"].prompt_set, text="another")
    Sample.objects.filter(contestant=log.contestants["d"]).update(prompt=other)
    rows = make_plan("duel", count=6).matchups
    with_d = next(row for row in rows if "d epoch 0" in row["names"])
    assert (with_d["cells"], with_d["missing"]) == (0, 1)


def test_seconds_are_those_that_were_measured(log) -> None:
    assert seconds_of("duel") == (VOTER_SECONDS, GPU_SECONDS)
    for milliseconds in (2000, 3000, 9000):
        vote = log.vote("duel", "a b", "1")
        Vote.objects.bulk_create(
            [Vote(number=100 + vote.number, ticket=log_ticket(vote), outcome="1", answered_after_ms=milliseconds)]
        )
    assert seconds_of("duel")[0] == 3.0


def log_ticket(vote: Vote):
    ticket = vote.ticket
    ticket.pk, ticket.token = None, f"again-{vote.pk}"
    ticket.save()
    return ticket


def test_the_experiment_measures_on_the_log_of_the_poll(log) -> None:
    voted(log)
    found = planned("--experiment")
    few, many = found["savings"]
    assert (few["votes"], many["votes"], few["contestants"]) == (100, 400, 4)
    assert many["misordered"] < few["misordered"]
    assert 0 < many["low"] <= many["ratio"] <= many["high"]
    assert MatchupPlan.objects.get().savings == found["savings"]
    out = StringIO()
    call_command("plan", "--experiment", stdout=out)
    assert f"planning needs {100 * few['ratio']:.0f} % as many" in " ".join(out.getvalue().split())


def test_without_votes_everybody_is_equal_and_nothing_is_measured(log) -> None:
    for name in "abc":
        log.contestant(name)
    found = planned("--experiment")
    assert len(found["matchups"]) == 10
    assert found["savings"] == []


def test_the_page_shows_what_the_worker_made(client: Client, log, monkeypatch) -> None:
    voted(log)
    asked = []
    monkeypatch.setattr(plan_matchups, "delay", asked.append)
    with monkeypatch.context() as patched:
        patched.setattr("django.db.transaction.on_commit", lambda work, **_: work())
        page = client.get("/boards/next/duel/").content.decode()
        assert "There is no plan yet" in page
        client.get("/boards/next/duel/")
    assert asked == ["duel"]
    plan_matchups("duel")
    page = client.get("/boards/next/duel/").content.decode()
    plan = MatchupPlan.objects.get()
    assert plan.claimed_at is None
    assert "c epoch 0 · d epoch 0" in page
    assert f"{plan.matchups[0]['per_voter_second']:.4f}" in page
    assert f">{plan.savings[0]['votes']}<" in page


def test_unknown_polls_name_the_known_ones(client: Client, log) -> None:
    answer = client.get("/boards/next/quartet/")
    assert answer.status_code == 404
    assert "known: fixed, duel, ffa" in answer.content.decode()
    with pytest.raises(CommandError, match="no poll 'quartet'; known: fixed, duel, ffa"):
        planned("--poll", "quartet")
    with pytest.raises(CommandError, match="give 1 to 1000"):
        planned("--count", "0")


def test_boards_lead_to_the_plan_of_their_poll(client: Client, log) -> None:
    assert client.get("/boards/next/")["Location"] == "/boards/next/fixed/"
    assert 'href="/boards/next/duel/"' in client.get("/boards/elo/duel/").content.decode()
