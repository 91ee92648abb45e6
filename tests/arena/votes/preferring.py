"""`python -m tests.arena.votes.preferring RUN EPOCH=STRENGTH …`: simulated voters who judge a run's epochs.

Makes a duel over the run's registered epochs (with plain pictures as their samples) the first time, then casts votes
through tickets, as everybody's are cast.
"""

import math
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import django

VOTERS, VOTES, PROMPTS = 60, 3, 40


@dataclass(frozen=True)
class Strengths:
    """Picks a checkpoint with odds of exp(strength), by epoch."""

    by_epoch: dict[int, float]
    text: str = "prefers epochs by strengths that a test sets"

    def answer(self, checkpoints: Sequence[object], rng: random.Random) -> str:
        """The number of the picked seat."""
        weights = [math.exp(self.by_epoch[one.epoch]) for one in checkpoints]  # type: ignore[attr-defined]
        return str(rng.choices(range(1, len(weights) + 1), weights)[0])


def main(run: str, *strengths: str) -> None:
    """Cast VOTERS x VOTES votes on the epochs that are named."""
    by_epoch = {int(epoch): float(value) for epoch, _, value in (text.partition("=") for text in strengths)}
    contestants = Contestant.objects.filter(checkpoint__run__name=run, checkpoint__epoch__in=by_epoch)
    assert contestants.count() == len(by_epoch)
    poll = make_poll("duel", PROMPTS)
    enrol(poll, *contestants.order_by("checkpoint__epoch"))
    rng = random.Random(0)
    print(sum(len(simulate(poll, Strengths(by_epoch), rng, VOTES)) for _ in range(VOTERS)))


if __name__ == "__main__":
    django.setup()
    from arena.gallery.models import Contestant
    from arena.votes.simulation import simulate
    from tests.arena.votes.building import enrol, make_poll

    main(*sys.argv[1:])
