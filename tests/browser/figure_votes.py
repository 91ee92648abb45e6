"""Fills an arena with what figures show: a run of twelve epochs after its base, long names, votes, scores, images.

Run as `python -m tests.browser.figure_votes` with the arena's environment.
"""

import math
import random
from dataclasses import dataclass

import django

EPOCHS = 12
VOTES = 900
VOTERS = 40
LONG = "illustrious-xl-continued-with-natural-language-captions-and-register-tokens-v2.0"
JAPANESE = "\u6c34\u5f69\u753b\u98a8\u30a2\u30cb\u30e1\u5b66\u7fd2\u306e\u8a66\u884c"
NAMES = ("mei lin", "aoi", "tom")


@dataclass(frozen=True)
class Rated:
    """A contestant and its true strength in nat."""

    contestant: object
    strength: float


def main(votes: int = VOTES) -> None:
    """Everything in one transaction."""
    django.setup()
    from django.db import transaction  # noqa: PLC0415

    with transaction.atomic():
        fill(votes)


def fill(votes: int) -> None:
    """Contestants, polls, samples, votes by strength and a voter's taste, and scores."""
    from arena.gallery.models import Character, Prompt  # noqa: PLC0415
    from tests.arena.votes.building import enrol, make_contestant, make_poll  # noqa: PLC0415

    base = Rated(make_contestant(0, "base-model"), -0.6)
    curve = [Rated(make_contestant(epoch, "watercolour"), 1.1 * math.sin(epoch / 8)) for epoch in range(1, EPOCHS + 1)]
    for one in curve[:1]:
        one.contestant.checkpoint.parent = base.contestant.checkpoint
        one.contestant.checkpoint.save()
    others = [Rated(make_contestant(2, LONG), 0.9), Rated(make_contestant(3, JAPANESE), -0.2)]
    rated = [base, *curve, *others]
    for kind in ("fixed", "duel", "ffa"):
        poll = make_poll(kind, prompts=0)
        if kind == "fixed":
            for name in NAMES:
                character = Character.objects.create(name=name, tags=["1girl"])
                Prompt.objects.create(prompt_set=poll.prompt_set, text=f"{name}, standing", character=character)
        else:
            Prompt.objects.create(prompt_set=poll.prompt_set, text=f"1girl, {kind}")
        enrol(poll, *(one.contestant for one in rated), rendered=kind != "none")
        cast(poll, rated, votes // 3, random.Random(kind))
    score([one for one in rated if one is not others[1]])
    count()


def cast(poll: object, rated: list[Rated], votes: int, rng: random.Random) -> None:
    """Votes in the log; the last contestant is met more rarely than the others."""
    from arena.gallery.models import Sample  # noqa: PLC0415
    from arena.polls.models import Matchup, Seat  # noqa: PLC0415
    from arena.votes.models import Ticket, Vote, Voter  # noqa: PLC0415

    voters = [Voter.objects.create() for _ in range(VOTERS)]
    prompts = list(poll.prompt_set.prompts.all())
    samples = {(one.contestant_id, one.prompt_id): one for one in Sample.objects.filter(prompt__in=prompts)}
    for number in range(votes):
        pool = rated if number % 8 == 0 else rated[:-1]
        seated = rng.sample(pool, poll.seat_count)
        noisy = [one.strength - math.log(-math.log(rng.random())) for one in seated]
        best = noisy.index(max(noisy)) + 1
        drawn = poll.kind == "fixed" and abs(noisy[0] - noisy[1]) < 0.2
        prompt = rng.choice(prompts)
        matchup = Matchup.objects.create(poll=poll, prompt=prompt, seed=11, rule="test")
        Seat.objects.bulk_create(
            Seat(matchup=matchup, position=place, sample=samples[one.contestant.pk, prompt.pk])
            for place, one in enumerate(seated, 1)
        )
        ticket = Ticket.objects.create(voter=rng.choice(voters), matchup=matchup)
        Vote.objects.create(number=Vote.objects.count() + 1, ticket=ticket, outcome="1=2" if drawn else str(best))


def count() -> None:
    """What casting a vote counts besides: the log's length, and how often each contestant was shown."""
    from arena.polls.models import Enrolment, Seat  # noqa: PLC0415
    from arena.votes.models import Vote, VoteLog  # noqa: PLC0415

    VoteLog.objects.update(length=Vote.objects.count())
    for one in Enrolment.objects.all():
        one.appearances = Seat.objects.filter(matchup__poll=one.poll_id, sample__contestant=one.contestant_id).count()
        one.save()


def score(rated: list[Rated]) -> None:
    """CCIP scores that mostly go with the strengths: the fourth epoch is far better by the metric than by people."""
    from arena.evaluations.models import CheckpointScore  # noqa: PLC0415

    for at, one in enumerate(rated):
        value = 0.30 - 0.06 * one.strength + (-0.12 if at == 4 else 0.01 * math.sin(at))
        images = [{"key": [name, f"{name}, standing", 11], "difference": value + 0.01 * place, "same_rate": 0.5}
                  for place, name in enumerate(NAMES)]  # fmt: skip
        CheckpointScore.objects.create(
            contestant=one.contestant, encoder="e" * 64, encoder_name="test encoder", suite="s" * 64, threshold=0.2,
            notice="A test encoder: its numbers mean nothing.",
            images=len(NAMES), missing=int(at == 6), difference=value, difference_low=value - 0.02,
            difference_high=value + 0.02, same_rate=1 - 2 * value, same_rate_low=0.9 - 2 * value,
            same_rate_high=1.05 - 2 * value, interval="t", top1=0.5, reference_difference=0.1,
            reference_same_rate=0.9, floor_difference=0.42, floor_same_rate=0.05, result={"images": images},
        )  # fmt: skip


if __name__ == "__main__":
    main()
