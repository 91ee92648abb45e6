"""Who watches a run."""

from __future__ import annotations

from typing import Protocol

from training.hooks import Progress


class Display(Protocol):
    """Where a person watches the run."""

    def say(self, text: str) -> None:
        """One line."""

    def step(self, progress: Progress) -> None:
        """Where the run stands now."""


class Silent:
    """The display of the processes that do not lead."""

    def say(self, text: str) -> None:
        """Nobody reads it."""

    def step(self, progress: Progress) -> None:
        """Nobody looks."""
