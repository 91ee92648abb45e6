"""The next matchup is fetched while the voter looks at the last: nothing is told, wasted or timed by it."""

import re

import pytest

from arena.gallery.models import Checkpoint
from arena.votes.models import Ticket
from tests.arena.votes.building import ready_poll

pytestmark = pytest.mark.django_db
AHEAD = {"Purpose": "prefetch"}


def test_it_is_the_matchup_that_the_voter_gets(browser) -> None:
    ready_poll("duel", contestants=3)
    ahead = browser.get("/polls/duel/", headers=AHEAD).content.decode()
    later = browser.get("/polls/duel/").content.decode()
    images = re.findall(r'src="(/images/[^"]+)"', ahead)
    assert len(images) == 2
    assert re.findall(r'src="(/images/[^"]+)"', later) == images
    assert Ticket.objects.count() == 1


def test_the_clock_starts_when_it_is_looked_at(browser) -> None:
    ready_poll("duel", contestants=3)
    browser.get("/polls/duel/", headers=AHEAD)
    assert Ticket.objects.get().shown_at is None
    browser.get("/polls/duel/")
    assert Ticket.objects.get().shown_at is not None


def test_it_names_nobody(browser) -> None:
    ready_poll("duel", contestants=3)
    response = browser.get("/polls/duel/", headers=AHEAD)
    everything = response.content + str(sorted(response.headers.items())).encode()
    for checkpoint in Checkpoint.objects.all():
        assert checkpoint.name.encode() not in everything
        assert checkpoint.sha256[:12].encode() not in everything
