"""Fixtures of this folder."""

import pytest

from arena.evaluations.tasks import advance_evaluation
from tests.arena.tiny import media, small_dataset, tiny_folder, tiny_lora

__all__ = ["media", "queued", "small_dataset", "tiny_folder", "tiny_lora"]


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The evaluations that a message was sent for, at the door of the broker."""
    sent: list[int] = []
    monkeypatch.setattr(advance_evaluation, "delay", sent.append)
    monkeypatch.setattr("arena.evaluations.tasks.transaction.on_commit", lambda send, robust: send())
    return sent
