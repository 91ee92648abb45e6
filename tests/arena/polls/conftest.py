"""Fixtures of the pairing tests."""

import pytest

from arena.votes.models import Voter
from tests.arena.tiny import media

__all__ = ["media"]


@pytest.fixture(autouse=True)
def _own_media_folder(media) -> None:
    """No test writes images anywhere else."""


@pytest.fixture
def voter(db) -> Voter:
    """Somebody who votes."""
    return Voter.objects.create()
