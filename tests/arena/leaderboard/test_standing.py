import random
from datetime import timedelta

import pytest
from django.template import Context, Template
from django.utils import timezone

from arena.gallery.models import Contestant
from arena.leaderboard.auditing import standings_are_the_replay
from arena.leaderboard.models import RatingRun, Standing
from arena.leaderboard.tasks import KEPT_SECONDS, catch_up_board
from arena.votes.casting import cast, issue_ticket
from arena.votes.models import Voter
from tests.arena.votes.building import make_contestant, ready_poll

pytestmark = pytest.mark.django_db
TEMPLATE = Template(
    "{% load standing %}{% standings 'duel' as all %}"
    "{% with p=all|of:pk %}{{ p.rank }}/{{ p.total }}/{{ p.votes }}{% endwith %}"
)


def shown(pk: int) -> str:
    return TEMPLATE.render(Context({"pk": pk}))


def test_a_page_below_the_boards_can_name_a_rank() -> None:
    first, second, unranked = (make_contestant(epoch) for epoch in (1, 2, 3))
    run = RatingRun.objects.create(metric="trueskill", poll="duel", population="people", methodology="t")
    other = RatingRun.objects.create(metric="elo", poll="duel", population="people", methodology="t")
    Standing.objects.create(rating_run=run, contestant=first, rank=1, votes=7)
    Standing.objects.create(rating_run=run, contestant=second, rank=2, votes=5)
    Standing.objects.create(rating_run=run, contestant=unranked, rank=None)
    Standing.objects.create(rating_run=other, contestant=unranked, rank=1)
    part = RatingRun.objects.create(
        metric="trueskill", poll="duel", population="people", cut="character=mei", methodology="t"
    )
    Standing.objects.create(rating_run=part, contestant=second, rank=1, votes=1)
    assert shown(second.pk) == "2/2/5"
    assert shown(unranked.pk) == "//"


def test_without_boards_there_is_none() -> None:
    assert shown(1) == "//"


def test_a_board_that_nobody_opened_is_brought_on_by_a_worker_every_ten_minutes(
    django_capture_on_commit_callbacks, monkeypatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(catch_up_board, "delay", asked.append)
    poll = ready_poll("duel", contestants=2, prompts=4)
    voter, rng = Voter.objects.create(), random.Random(1)
    first, second = Contestant.objects.order_by("pk")
    with django_capture_on_commit_callbacks(execute=True):
        assert shown(first.pk) == "//"
    assert asked == [], "no vote, nothing to bring on"
    for _ in range(3):
        ticket = issue_ticket(poll, voter, rng)
        cast(ticket.token, str(ticket.matchup.seats.get(sample__contestant=first).position), voter)
    with django_capture_on_commit_callbacks(execute=True):
        shown(first.pk)
        shown(first.pk)
    run = RatingRun.objects.get()
    assert asked == [run.pk], "asked once, whoever looks within the minute"
    catch_up_board(run.pk)
    run.refresh_from_db()
    assert (run.through, run.counted, run.claimed_at) == (3, 3, None)
    with django_capture_on_commit_callbacks(execute=True):
        assert shown(first.pk) == shown(second.pk) == "1/2/3", "three votes do not separate them"
    ticket = issue_ticket(poll, voter, rng)
    cast(ticket.token, "1", voter)
    with django_capture_on_commit_callbacks(execute=True):
        shown(first.pk)
    assert asked == [run.pk], "new enough"
    RatingRun.objects.update(updated_at=timezone.now() - timedelta(seconds=KEPT_SECONDS))
    with django_capture_on_commit_callbacks(execute=True):
        shown(first.pk)
    assert asked == [run.pk, run.pk]
    assert list(standings_are_the_replay()) == []
