"""Fixtures of the booth's tests."""

import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from arena.evaluations.models import Worker
from arena.polls.models import Poll
from arena.votes.casting import issue_ticket
from arena.votes.models import Ticket, Voter
from tests.arena.tiny import media, tiny_folder

__all__ = ["media", "tiny_folder"]


@pytest.fixture(autouse=True)
def _own_folders(settings, media) -> None:
    """Images go to a folder of the test; WhiteNoise wants the folder of collected files to exist."""
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)


@pytest.fixture
def living_worker(db) -> None:
    """A worker that was heard of just now: typed prompts are taken only while there is one."""
    Worker.objects.create(name="celery@here", pid=1, seen_at=timezone.now() + timedelta(hours=1))


@pytest.fixture
def voter(db) -> Voter:
    return Voter.objects.create()


@pytest.fixture
def ticket_of() -> Callable[[Poll, Voter], Ticket]:
    """Hand a ticket to a voter, with a fixed seed."""

    def issue(poll: Poll, voter: Voter) -> Ticket:
        ticket = issue_ticket(poll, voter, random.Random(5))
        assert ticket is not None
        return ticket

    return issue


@pytest.fixture
def browser(client: Client) -> Client:
    """A browser that checks CSRF tokens, as real ones are checked."""
    return Client(enforce_csrf_checks=True)
