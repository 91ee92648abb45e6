"""Fixtures of the pairing tests."""

import pytest

from tests.arena.tiny import media

__all__ = ["media"]


@pytest.fixture(autouse=True)
def _own_media_folder(media) -> None:
    """No test writes images anywhere else."""
