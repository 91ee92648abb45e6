"""A vote log in the database, written row by row as the booth would leave it."""

import math
import random
from collections.abc import Sequence

import pytest

from arena.gallery.models import Checkpoint, Contestant, Prompt, PromptSet, Run, Sample
from arena.polls.models import Enrolment, Matchup, Poll, Seat
from arena.votes.models import Ticket, Vote, VoteExclusion, Voter
from generation.recipe import Recipe


class VoteLog:
    """Contestants by name (`run:epoch`, or `run` for epoch 0), polls by kind, and votes on them."""

    def __init__(self) -> None:
        recipe = Recipe()
        self.recipe, self.recipe_sha256 = recipe.to_dict(), recipe.sha256
        self.contestants: dict[str, Contestant] = {}
        self.polls = {kind: self._poll(kind) for kind in Poll.Kind.values}
        self.voters = {kind: Voter.objects.create(population=kind) for kind in Voter.Population.values}

    def _poll(self, kind: str) -> Poll:
        prompt_set = PromptSet.objects.create(slug=kind, title=kind)
        Prompt.objects.create(prompt_set=prompt_set, text=f"1girl, {kind}")
        return Poll.objects.create(kind=kind, question="Which is better?", prompt_set=prompt_set)

    def contestant(self, name: str, *, enrol: Sequence[str] = ("fixed", "duel", "ffa")) -> Contestant:
        """The contestant of that name, made and enrolled at its first mention."""
        if name not in self.contestants:
            run, _, epoch = name.partition(":")
            checkpoint = Checkpoint.objects.create(
                run=Run.objects.get_or_create(name=run)[0],
                name=f"{run} epoch {epoch or 0}",
                epoch=int(epoch or 0),
                sha256=name.encode().hex().ljust(64, "0"),
            )
            made = Contestant.objects.create(
                checkpoint=checkpoint, recipe=self.recipe, recipe_sha256=self.recipe_sha256
            )
            for kind in enrol:
                Enrolment.objects.create(poll=self.polls[kind], contestant=made)
            self.contestants[name] = made
        return self.contestants[name]

    def vote(
        self,
        kind: str,
        names: str,
        outcome: str,
        population: str = "people",
        *,
        voter: Voter | None = None,
        prompt: Prompt | None = None,
    ) -> Vote:
        """One vote at the end of the log; `names` are separated by spaces, in the order shown."""
        poll = self.polls[kind]
        prompt = prompt or poll.prompt_set.prompts.earliest("pk")
        matchup = Matchup.objects.create(poll=poll, prompt=prompt, seed=0, rule="test")
        for position, name in enumerate(names.split(), start=1):
            sample, _ = Sample.objects.get_or_create(contestant=self.contestant(name), prompt=prompt, seed=0)
            Seat.objects.create(matchup=matchup, position=position, sample=sample)
        ticket = Ticket.objects.create(voter=voter or self.voters[population], matchup=matchup)
        return Vote.objects.create(number=Vote.objects.count() + 1, ticket=ticket, outcome=outcome)

    def exclude(self, vote: Vote) -> VoteExclusion:
        """Take the vote off the boards."""
        return VoteExclusion.objects.create(vote=vote, reason="test")


@pytest.fixture(autouse=True)
def static_folder(settings) -> None:
    """The folder of collected static files, which the web server expects to be there."""
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)


@pytest.fixture
def log(db: None) -> VoteLog:
    """An empty log."""
    return VoteLog()


@pytest.fixture
def voted(log: VoteLog) -> VoteLog:
    """90 duels of five epochs after their base by 15 voters, better from epoch to epoch."""
    rng, names = random.Random(1), ["base", *(f"run:{epoch}" for epoch in range(1, 6))]
    voters = [Voter.objects.create() for _ in range(15)]
    for number in range(90):
        one, other = rng.sample(range(6), 2)
        first = rng.random() < 1 / (1 + math.exp(0.9 * (other - one)))
        log.vote("duel", f"{names[one]} {names[other]}", "1" if first else "2", voter=voters[number % 15])
    first = log.contestants["run:1"].checkpoint
    first.parent = log.contestants["base"].checkpoint
    first.save()
    return log
