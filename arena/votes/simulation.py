"""Simulated voters: votes from a stated preference, through the same tickets and the same log as people's.

They belong to the population `simulated`, whose boards are its own.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from arena.gallery.models import Checkpoint
from arena.polls.models import Poll
from arena.votes.casting import cast, issue_ticket, seated_contestants
from arena.votes.models import Vote, Voter


class Preference(Protocol):
    """How a simulated voter answers; `text` is stored with the voter and shown."""

    @property
    def text(self) -> str:
        """The preference in one sentence of at most 200 characters."""

    def answer(self, checkpoints: Sequence[Checkpoint], rng: random.Random) -> str:
        """An outcome text for checkpoints in displayed order."""


@dataclass(frozen=True, slots=True)
class LongerTraining:
    """Orders the seats by training steps, a base's included, and picks place i with probability exp(slope * i) / sum.

    For two seats that is the logistic function; equally trained checkpoints share a place.
    """

    slope: float = 1.0

    @property
    def text(self) -> str:
        """As stored with the voter."""
        return f"prefers the longer trained: odds of exp({self.slope:g}) for each place in that order"

    def answer(self, checkpoints: Sequence[Checkpoint], rng: random.Random) -> str:
        """The number of the picked seat."""
        trained = [trained_steps(checkpoint) for checkpoint in checkpoints]
        last = len(set(trained)) - 1
        places = {steps: place for place, steps in enumerate(sorted(set(trained)))}
        weights = [math.exp(self.slope * (places[steps] - last)) for steps in trained]
        return str(rng.choices(range(1, len(weights) + 1), weights)[0])


def trained_steps(checkpoint: Checkpoint) -> int:
    """Training steps behind a checkpoint, those of the checkpoints it was fine-tuned from included."""
    return checkpoint.step + (trained_steps(checkpoint.parent) if checkpoint.parent else 0)


def new_voter(preference: Preference) -> Voter:
    """A simulated voter, marked as such, with its preference written down."""
    return Voter.objects.create(population=Voter.Population.SIMULATED, preference=preference.text)


def simulate(poll: Poll, preference: Preference, rng: random.Random, n: int, voter: Voter | None = None) -> list[Vote]:
    """Cast up to `n` votes in a poll by one simulated voter (a new one if none is given).

    Fewer when the poll is closed or has nothing left that this voter has not seen. Raises ValueError for a person.
    """
    if voter is not None and voter.population != Voter.Population.SIMULATED:
        raise ValueError(f"{voter} is not a simulated voter: simulated votes are never mixed with people's")
    voter = voter or new_voter(preference)
    votes = []
    for _ in range(n):
        ticket = issue_ticket(poll, voter, rng)
        if ticket is None:
            break
        shown = [contestant.checkpoint for contestant in seated_contestants(ticket)]
        votes.append(cast(ticket.token, preference.answer(shown, rng), voter))
    return votes
