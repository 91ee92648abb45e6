"""The status page tells what the loop is doing."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from arena.evaluations import running
from arena.evaluations.models import EvaluationRun, Worker
from arena.evaluations.seeding import seed
from arena.evaluations.status import spell_seconds
from arena.gallery.models import Run
from arena.gallery.registering import register
from arena.gallery.rendering import render_missing
from arena.polls.models import Matchup, Poll
from arena.polls.pairing import can_be_shown
from arena.votes.models import Ticket, Vote, VoteExclusion, Voter
from generation.tiny import write_tiny_checkpoint

pytestmark = pytest.mark.django_db


def status(client: Client) -> dict:
    return client.get("/status.json").json()


def test_empty_arena_says_what_to_do(client: Client) -> None:
    text = client.get("/status/").content.decode()
    for remedy in ("python -m training train", "register_checkpoint PATH", "seed_polls", "make worker"):
        assert remedy in text


def test_run_shows_its_progress(client: Client) -> None:
    Run.objects.create(
        name="my-run", state="training", epoch=2, epochs=4, step=300, total_steps=1200, loss=0.1234, eta_seconds=200
    )
    run = status(client)["runs"][0]
    assert (run["percent"], run["time_left"], run["url"]) == (25, "3 min 20 s", "/runs/my-run/")
    page = client.get("/status/").content.decode()
    assert "epoch 2 of 4" in page
    assert "0.1234" in page


def test_evaluation_and_polls_show_progress(client: Client, tiny_folder: Path, media: Path) -> None:
    seed(None)
    run, _ = running.start(register(tiny_folder)[0])
    running.advance(run.pk, seconds=0)
    shown = status(client)
    assert [(e["checkpoint"], e["state"], e["done"], e["total"]) for e in shown["evaluations"]] == [
        (run.contestant.checkpoint.name, "running", 4, 64)
    ]
    assert [(p["kind"], p["contestants"], p["votable"]) for p in shown["polls"]] == [
        ("duel", 1, False),
        ("ffa", 1, False),
    ]
    assert "waiting for images" in client.get("/status/loop").content.decode()


def test_poll_is_votable_once_its_seats_can_be_filled(tiny_folder: Path, media: Path, tmp_path: Path) -> None:
    seed(None)
    poll = Poll.objects.get(kind="duel")
    write_tiny_checkpoint(tmp_path / "two", seed=1, epoch=2)
    prompts = poll.prompt_set.prompts.all()
    first, second = register(tiny_folder)[0], register(tmp_path / "two")[0]
    for contestant, prompt in ((first, prompts[0]), (second, prompts[1])):
        render_missing(contestant, [(prompt, 1001)])
        running.enrol(contestant)
    assert not can_be_shown(poll), "no prompt in common yet"
    render_missing(second, [(prompts[0], 1001)])
    assert can_be_shown(poll)


def test_votes_of_people_and_of_simulated_voters_are_counted_apart(client: Client) -> None:
    seed(None)
    poll = Poll.objects.get(kind="duel")
    for number, population in enumerate(("people", "people", "simulated"), start=1):
        matchup = Matchup.objects.create(poll=poll, prompt=poll.prompt_set.prompts.first(), seed=1, rule="test")
        ticket = Ticket.objects.create(voter=Voter.objects.create(population=population), matchup=matchup)
        Vote.objects.create(number=number, ticket=ticket, outcome="1")
    assert status(client)["votes"] == {"people": 2, "simulated": 1}


def test_skips_and_votes_taken_back_are_not_counted(client: Client) -> None:
    seed(None)
    poll = Poll.objects.get(kind="duel")
    voter = Voter.objects.create()
    for number, outcome in enumerate(("1", "2", "skip", "1"), start=1):
        matchup = Matchup.objects.create(poll=poll, prompt=poll.prompt_set.prompts.first(), seed=1, rule="test")
        ticket = Ticket.objects.create(voter=voter, matchup=matchup)
        vote = Vote.objects.create(number=number, ticket=ticket, outcome=outcome)
    VoteExclusion.objects.create(vote=vote, rule=VoteExclusion.Rule.UNDONE, reason="taken back")
    first = Vote.objects.get(number=1)
    VoteExclusion.objects.create(vote=first, rule=VoteExclusion.Rule.TOO_FAST, reason="too fast, yet a vote")
    assert status(client)["votes"] == {"people": 2, "simulated": 0}


def test_worker_is_alive_until_it_was_silent_for_long(client: Client) -> None:
    worker = Worker.objects.create(name="celery@here", pid=1)
    assert status(client)["worker_alive"]
    Worker.objects.filter(pk=worker.pk).update(seen_at=timezone.now() - timedelta(seconds=60))
    assert not status(client)["worker_alive"]


def test_failure_is_named(client: Client, tiny_folder: Path) -> None:
    run, _ = running.start(register(tiny_folder)[0])
    EvaluationRun.objects.filter(pk=run.pk).update(state="failed", error="CheckpointError: <b>gone</b>")
    page = client.get("/status/").content.decode()
    assert "CheckpointError: &lt;b&gt;gone" in page


def test_demo_steps_are_shown(client: Client, settings, tmp_path: Path) -> None:
    settings.HOME = tmp_path
    steps = [{"title": "data set", "state": "done", "took": "21 s"}, {"title": "base", "state": "running", "took": ""}]
    (tmp_path / "demo.json").write_text(json.dumps({"steps": steps, "times": [{"title": "page up", "took": "9 s"}]}))
    page = client.get("/status/").content.decode()
    assert "data set" in page
    assert "page up" in page


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (0, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations_read_well(seconds: float | None, text: str) -> None:
    assert spell_seconds(seconds) == text
