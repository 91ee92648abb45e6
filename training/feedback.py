"""What a run hears of its epochs while it trains: standings into its log, and whether an earlier epoch is preferred."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from training.hooks import ArenaHook, format_standings
from training.preference import Preference, Preferred
from training.run_log import RunLog

LOOK_SECONDS = 60.0  # between two questions to the arena


class Feedback:
    """The arena's side of a run. ``preferred`` is set once people prefer an earlier epoch, where one asks for that."""

    def __init__(self, arena: ArenaHook, preference: Preference | None, log: RunLog) -> None:
        self.arena = arena
        self.preferred: Preferred | None = None
        self._preference = preference
        self._log = log
        self._standings: list[dict[str, Any]] | None = None
        self._looked = 0.0

    def due(self) -> bool:
        """Whether it is time to look again."""
        return time.monotonic() - self._looked >= LOOK_SECONDS

    def look(self, step: int) -> None:
        """Ask for standings and for the comparison after so many steps, and write down what is new."""
        self._looked = time.monotonic()
        rows = self.arena.standings()
        if rows and rows != self._standings:
            self._standings = rows
            self._log.standings({"step": step, "rows": rows})
        self.preferred = self._preference.look() if self._preference else None
        if self.preferred is not None:
            told = {**asdict(self.preferred), "text": str(self.preferred)}
            self._log.standings({"step": step, "preferred": told})

    def standings(self) -> str:
        """The last ones, as lines of text."""
        return format_standings(self._standings)
