"""Fixtures of this folder."""

from types import SimpleNamespace

import pytest
from django.core.cache import cache
from django.test import Client

from arena.evaluations.tasks import advance_evaluation
from arena.votes import limits
from tests.arena.leaderboard.conftest import log
from tests.arena.tiny import media, small_dataset, tiny_folder, tiny_lora

__all__ = ["authorised", "log", "media", "queued", "small_dataset", "tiny_folder", "tiny_lora"]


@pytest.fixture(autouse=True)
def nobody_called_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request of this minute is counted, and the minute does not end."""
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: 60.0 * 1_000_000 + 20))
    cache.clear()


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The evaluations that a message was sent for, at the door of the broker."""
    sent: list[int] = []
    monkeypatch.setattr(advance_evaluation, "delay", sent.append)
    return sent


@pytest.fixture
def authorised(client: Client, settings) -> Client:
    """A client with ARENA_API_TOKEN, which may do everything."""
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {settings.ARENA_API_TOKEN}"
    return client
