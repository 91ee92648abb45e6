"""`python -m tests.arena.votes.preferring HASH=STRENGTH …`: simulated voters who judge registered checkpoints.

Makes a duel over them (with plain pictures as their samples) and casts votes through tickets, as everybody's are cast.
"""

import math
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import django

VOTERS, VOTES, PROMPTS = 60, 3, 40


@dataclass(frozen=True)
class Strengths:
    """Picks a checkpoint with odds of exp(strength), by the beginning of its hash."""

    by_hash: dict[str, float]
    text: str = "prefers checkpoints by strengths that a test sets"

    def answer(self, checkpoints: Sequence[Any], rng: random.Random) -> str:
        """The number of the picked seat."""
        shown = [next(value for sha256, value in self.by_hash.items() if one.sha256.startswith(sha256))
                 for one in checkpoints]  # fmt: skip
        return str(rng.choices(range(1, len(shown) + 1), [math.exp(value) for value in shown])[0])


def main(*strengths: str) -> None:
    """Cast VOTERS x VOTES votes on the checkpoints that are named, and print how many were cast."""
    by_hash = {sha256: float(value) for sha256, _, value in (text.partition("=") for text in strengths)}
    poll = make_poll("duel", PROMPTS)
    enrol(poll, *(find_contestant(sha256) for sha256 in by_hash))
    rng = random.Random(0)
    print(sum(len(simulate(poll, Strengths(by_hash), rng, VOTES)) for _ in range(VOTERS)))


if __name__ == "__main__":
    django.setup()
    from arena.gallery.finding import find_contestant
    from arena.votes.simulation import simulate
    from tests.arena.votes.building import enrol, make_poll

    main(*sys.argv[1:])
