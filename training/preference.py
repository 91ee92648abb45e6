"""Whether people prefer an earlier epoch of a run to its newest one, by the arena's comparison (docs/preference.md).

One may look at any time and act on it: every pair of the run's epochs has its share of the error (Bonferroni) and is
judged by bounds that hold at all times at once (docs/comparison.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generation.checkpoint import INFO_FILE
from generation.recipe import Recipe
from training.errors import UserError
from training.hooks import ArenaClient, ArenaRefused, ArenaUnreachable
from training.run_files import checkpoints_in

MOST_LEVEL = 0.9999  # the arena answers no higher one


@dataclass(frozen=True)
class Estimate:
    """How much better: ``probability`` that it is at all, by one look; ``difference`` in Elo points and ``at_least``,
    its bound at all times; ``votes`` that this rests on.
    """

    probability: float
    difference: float
    at_least: float
    votes: int

    def __str__(self) -> str:
        return (
            f"it is better with probability {self.probability:.4f}, by {self.difference:.0f} Elo points "
            f"({self.at_least:.0f} or more at all times), {self.votes} votes"
        )


@dataclass(frozen=True)
class Preferred:
    """An earlier epoch that is preferred to a later one.

    ``wins``, ``losses`` and ``draws`` of direct duels, and their ``e_value``. ``estimate`` is None where the later
    epoch lost every vote, so that the difference is without limit and the duels alone decide.
    """

    epoch: int
    over: int
    wins: int
    losses: int
    draws: int
    e_value: float
    estimate: Estimate | None

    def __str__(self) -> str:
        duels = f"direct duels {self.wins} to {self.losses}" + (f" and {self.draws} draws" if self.draws else "")
        preferred = f"people prefer epoch {self.epoch} to epoch {self.over}: "
        if self.estimate is None:
            return f"{preferred}{duels}, {self.e_value:.0f} times as likely as between equals"
        return f"{preferred}{self.estimate}, {duels}"


def level_of(confidence: float, epochs: int) -> float:
    """The level at which each pair of ``epochs`` is judged, so that any is judged wrongly with 1 - confidence at most.

    Example: 4 epochs have 6 pairs; with 0.95 each pair gets 1 - 0.05 / 6.

    Raises:
        UserError: the confidence is not within 0.5 and 1, or the arena has no level that high.
    """
    if not 0.5 <= confidence < 1:
        raise UserError(f"--stop-when-worse {confidence:g}: give a confidence from 0.5 to below 1, such as 0.95")
    pairs = max(1, epochs * (epochs - 1) // 2)
    level = 1 - (1 - confidence) / pairs
    if level > MOST_LEVEL:
        most = 1 - (1 - MOST_LEVEL) * pairs
        remedy = f"{most:.4f} at most" if most >= 0.5 else "no confidence: train fewer epochs at a time"
        raise UserError(f"--stop-when-worse {confidence:g} is too high for {epochs} epochs ({pairs} pairs): {remedy}")
    return level


class Preference:
    """Asks the arena about the epochs that lie in a run folder."""

    def __init__(
        self, client: ArenaClient, folder: Path, level: float, population: str, say: Callable[[str], None]
    ) -> None:
        """``level`` of every pair, as `level_of` gives it; ``population`` of voters: people or simulated."""
        self._client = client
        self._folder = folder
        self._level = level
        self._population = population
        self._say = say
        self._silent = False

    def look(self) -> Preferred | None:
        """The earlier epoch that is preferred to the newest one with votes; None too where the arena does not answer.

        A failure is said once until the next success.
        """
        try:
            found = self._look(epochs_in(self._folder))
            self._silent = False
        except (ArenaUnreachable, ArenaRefused) as error:
            if not self._silent:
                self._say(f"no comparison: {error}")
            self._silent = True
            return None
        return found

    def _look(self, epochs: Sequence[tuple[int, str]]) -> Preferred | None:
        """From the newest epoch down to the first that votes compare with earlier ones."""
        for place in range(len(epochs) - 1, 0, -1):
            earlier = {name[:12]: (epoch, name) for epoch, name in epochs[:place]}
            answer = self._compare(reference=epochs[place][1], candidate=[name for _, name in epochs[:place]])
            if answer["rows"]:
                return self._judge(earlier[answer["rows"][0]["checkpoint"]], epochs[place])
            if answer["state"] == "separated":
                found = filter(None, (self._judge(one, epochs[place]) for one in earlier.values()))
                if preferred := next(found, None):
                    return preferred
        return None

    def _judge(self, earlier: tuple[int, str], later: tuple[int, str]) -> Preferred | None:
        answer = self._compare(a=earlier[1], b=later[1])
        row = next(iter(answer["rows"]), answer["duels"])
        if row is None or not self._sure(row):
            return None
        estimate = None
        if answer["rows"]:
            estimate = Estimate(1 - row["probability"], -row["difference"], -row["always_high"], answer["counted"])
        return Preferred(
            earlier[0], later[0], row["a_wins"], row["b_wins"], row["draws"], row["e_value"], estimate=estimate
        )

    def _sure(self, row: Mapping[str, Any]) -> bool:
        """Whether a is better than b, whenever one looks: by its bound, or without one by the e-value."""
        if "always_high" in row:
            return bool(row["always_high"] < 0)  # b less a
        return bool(row["a_wins"] > row["b_wins"] and row["e_value"] >= 1 / (1 - self._level))

    def _compare(self, **asked: str | list[str]) -> Mapping[str, Any]:
        return self._client.comparison({**asked, "level": repr(self._level), "population": self._population})


def epochs_in(folder: Path) -> list[tuple[int, str]]:
    """Epoch and the arena's name (hash/recipe) of every whole checkpoint of a run folder, the earliest first."""
    found = []
    for checkpoint in checkpoints_in(folder):
        fields = json.loads((checkpoint / INFO_FILE).read_text("utf-8"))
        found.append((int(fields["epoch"]), f"{fields['sha256']}/{Recipe.from_dict(fields['recipe']).sha256}"))
    return found
