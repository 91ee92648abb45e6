import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import combinations, islice
from math import comb, sqrt

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from arena.gallery.models import Sample
from arena.polls.models import Enrolment, Poll
from arena.polls.pairing import RULE, Choice, can_be_shown, choose, ready_contestants
from tests.arena.votes.building import enrol, make_contestant, make_poll, make_sample, ready_poll

pytestmark = pytest.mark.django_db


def ids(choice: Choice) -> frozenset[int]:
    return frozenset(sample.pk for sample in choice.samples)


def count_appearances(poll: Poll, choice: Choice) -> None:
    shown = poll.enrolments.filter(contestant__samples__in=choice.samples)
    Enrolment.objects.filter(pk__in=shown.values("pk")).update(appearances=F("appearances") + 1)


def shown_in_turn(poll: Poll, rng: random.Random) -> Iterator[Choice]:
    """What one voter is shown until nothing is left, appearances counted as the booth does."""
    seen: set[frozenset[int]] = set()
    while choice := choose(poll, rng=rng, seen=seen):
        seen.add(ids(choice))
        count_appearances(poll, choice)
        yield choice


@pytest.mark.parametrize(("kind", "seats"), [("fixed", 2), ("duel", 2), ("ffa", 4)])
def test_seats_share_prompt_and_seed_and_hold_different_contestants(kind: str, seats: int) -> None:
    poll = ready_poll(kind, contestants=5, seeds=(11, 12))
    choice = choose(poll, rng=random.Random(1))
    assert choice is not None
    assert len(choice.samples) == seats
    assert len({(sample.prompt_id, sample.seed) for sample in choice.samples}) == 1
    assert len({sample.contestant_id for sample in choice.samples}) == seats
    assert choice.rule == RULE == "balanced-random/2"


@pytest.mark.parametrize(("kind", "contestants", "prompts"), [("duel", 4, 3), ("ffa", 5, 2)])
def test_a_voter_sees_every_group_once_and_then_nothing(kind: str, contestants: int, prompts: int) -> None:
    poll = ready_poll(kind, contestants, prompts)
    choices = list(shown_in_turn(poll, random.Random(2)))
    shown = [ids(choice) for choice in choices]
    assert len(shown) == len(set(shown)) == prompts * comb(contestants, poll.seat_count)
    possible = set()
    for prompt in poll.prompt_set.prompts.all():
        samples = Sample.objects.filter(prompt=prompt).values_list("pk", flat=True)
        possible |= {frozenset(group) for group in combinations(samples, poll.seat_count)}
    assert set(shown) == possible


@pytest.mark.parametrize("kind", ["duel", "ffa"])
def test_appearances_stay_level_over_voters(kind: str) -> None:
    poll = ready_poll(kind, contestants=7, prompts=2)
    rng = random.Random(3)
    for _ in range(20):
        count_appearances(poll, choose(poll, rng=rng))
        counts = poll.enrolments.values_list("appearances", flat=True)
        assert max(counts) - min(counts) <= 1
    assert sum(counts) == 20 * poll.seat_count


def test_a_newcomer_is_preferred_until_it_has_caught_up() -> None:
    poll = ready_poll("duel", contestants=3)
    Enrolment.objects.filter(poll=poll).update(appearances=50)
    newcomer = make_contestant(9)
    enrol(poll, newcomer)
    choice = choose(poll, rng=random.Random(4))
    assert choice is not None
    assert newcomer.pk in {sample.contestant_id for sample in choice.samples}


def test_ties_between_contestants_are_broken_evenly() -> None:
    poll = ready_poll("duel", contestants=4, prompts=1)
    rng = random.Random(5)
    pairs = Counter(ids(choose(poll, rng=rng)) for _ in range(240))
    # Six equally likely pairs: 40 each, standard deviation sqrt(240 * 1/6 * 5/6) = 5.8.
    assert len(pairs) == 6
    assert all(abs(count - 40) < 3.5 * sqrt(240 / 6 * 5 / 6) for count in pairs.values())


@pytest.mark.parametrize(("kind", "seats"), [("duel", 2), ("ffa", 4)])
def test_every_seat_is_equally_likely(kind: str, seats: int) -> None:
    poll = ready_poll(kind, contestants=4, prompts=1)
    rng = random.Random(6)
    rounds = 240
    sat = Counter()
    for _ in range(rounds):
        samples = choose(poll, rng=rng).samples
        sat.update((seat, sample.contestant_id) for seat, sample in enumerate(samples, 1))
    # Nothing is shown meanwhile, so each of four contestants takes each seat in a quarter of the rounds.
    assert len(sat) == 4 * seats
    assert all(abs(count - rounds / 4) <= 3 * sqrt(rounds / 4 * 3 / 4) for count in sat.values())


def test_the_same_generator_gives_the_same_choice() -> None:
    poll = ready_poll("ffa", contestants=6, seeds=(11, 12))
    assert choose(poll, rng=random.Random(7)) == choose(poll, rng=random.Random(7))


def test_withdrawn_contestants_and_other_polls_stay_out() -> None:
    poll = ready_poll("duel", contestants=3, prompts=1)
    gone = Enrolment.objects.filter(poll=poll).earliest("id")
    gone.withdrawn_at = datetime(2026, 1, 1, tzinfo=UTC)
    gone.save()
    elsewhere = make_poll("ffa", prompts=1)
    enrol(elsewhere, make_contestant(7))
    choices = list(shown_in_turn(poll, random.Random(8)))
    assert len(choices) == 1
    assert gone.contestant_id not in {sample.contestant_id for sample in choices[0].samples}


def test_seen_groups_with_a_withdrawn_contestant_do_not_close_a_cell() -> None:
    poll = ready_poll("duel", contestants=3, prompts=1)
    first, second, third = Sample.objects.order_by("contestant_id")
    Enrolment.objects.filter(poll=poll, contestant=first.contestant).update(
        withdrawn_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    seen = {frozenset({first.pk, second.pk}), frozenset({first.pk, third.pk})}
    choice = choose(poll, rng=random.Random(9), seen=seen)
    assert choice is not None
    assert ids(choice) == {second.pk, third.pk}
    assert choose(poll, rng=random.Random(9), seen=seen | {ids(choice)}) is None


def test_only_prompts_with_enough_samples_are_asked() -> None:
    poll = make_poll("ffa", prompts=2)
    contestants = [make_contestant(epoch) for epoch in range(1, 5)]
    enrol(poll, *contestants, rendered=False)
    half, full = poll.prompt_set.prompts.all()
    for contestant in contestants[:3]:
        make_sample(contestant, half, 11)
    assert choose(poll, rng=random.Random(10)) is None
    assert not can_be_shown(poll)
    assert ready_contestants(poll) == 3
    for contestant in contestants:
        make_sample(contestant, full, 11)
    choice = choose(poll, rng=random.Random(10))
    assert choice is not None
    assert {sample.prompt_id for sample in choice.samples} == {full.pk}
    assert can_be_shown(poll)
    assert ready_contestants(poll) == 4


def test_a_voter_meets_many_prompts_before_one_returns() -> None:
    poll = ready_poll("duel", contestants=4, prompts=6)
    seen: set[frozenset[int]] = set()
    prompts = []
    rng = random.Random(11)
    for _ in range(6):
        choice = choose(poll, rng=rng, seen=seen)
        seen.add(ids(choice))
        prompts.append(choice.samples[0].prompt_id)
    assert len(set(prompts)) == 6


def test_an_empty_poll_has_nothing_to_show() -> None:
    assert choose(make_poll("duel"), rng=random.Random(12)) is None


def test_queries_do_not_grow_with_the_pool_or_the_history() -> None:
    poll = ready_poll("duel", contestants=4, prompts=8)
    seen = {ids(choice) for choice in islice(shown_in_turn(poll, random.Random(13)), 40)}
    with CaptureQueriesContext(connection) as queries:
        assert choose(poll, rng=random.Random(13), seen=seen)
    assert len(queries) <= 7
