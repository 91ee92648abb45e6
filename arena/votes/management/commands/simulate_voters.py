"""`manage.py simulate_voters`: let simulated voters answer the open polls, to see boards move."""

import random
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from arena.polls.models import Poll
from arena.votes.models import Voter
from arena.votes.simulation import LongerTraining, new_voter, simulate


class Command(BaseCommand):
    help = (
        "Cast votes by simulated voters who prefer the longer trained checkpoint. They are marked as simulated and "
        "have boards of their own; people's boards never show them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say who votes and how long."""
        parser.add_argument("--count", type=int, default=4, help="How many voters (default 4).")
        parser.add_argument("--votes", type=int, default=20, help="Votes of each voter in each poll (default 20).")
        parser.add_argument("--seed", type=int, default=0, help="Seed of their choices (default 0).")
        parser.add_argument("--slope", type=float, default=1.0, help="Log odds for each place by training (default 1).")
        parser.add_argument("--forever", action="store_true", help="Go on until stopped, whatever --votes says.")
        parser.add_argument("--pause", type=float, default=0.0, help="Seconds between two rounds (default 0).")

    def handle(self, **options: Any) -> None:
        """Vote round by round: one vote of each voter in each open poll."""
        for name in ("count", "votes"):
            if options[name] < 1:
                raise CommandError(f"--{name} must be 1 or more, got {options[name]}")
        if options["pause"] < 0:
            raise CommandError(f"--pause must not be negative, got {options['pause']:g}")
        preference = LongerTraining(options["slope"])
        rng = random.Random(options["seed"])
        voters = [new_voter(preference) for _ in range(options["count"])]
        self.stdout.write(f"{len(voters)} simulated voters: each {preference.text}.")
        total = rounds = 0
        while options["forever"] or rounds < options["votes"]:
            total += vote_once(voters, preference, rng)
            rounds += 1
            time.sleep(options["pause"])
        self.stdout.write(f"{total} simulated votes cast.")


def vote_once(voters: Sequence[Voter], preference: LongerTraining, rng: random.Random) -> int:
    """One vote of each voter in each open poll; how many were cast."""
    polls = Poll.objects.filter(is_open=True)
    return sum(len(simulate(poll, preference, rng, 1, voter)) for poll in polls for voter in voters)
