"""Only samples that were rendered under equal conditions meet, and a matchup of others cannot be written."""

import random
from itertools import combinations
from math import comb

import pytest
from django.db.models import F

from arena.gallery.models import Prompt, Sample
from arena.polls.models import Enrolment, Matchup, Poll
from arena.polls.pairing import can_be_shown, cell_sizes, check_conditions, choose, exposure_order
from arena.votes.casting import show
from arena.votes.models import Ticket
from generation.errors import RenderError
from generation.matchup import conditions_hash
from tests.arena.votes.building import ready_poll

pytestmark = pytest.mark.django_db


def change(sample: Sample, **fields: object) -> None:
    """As if it had been rendered with another recipe, or elsewhere."""
    sample.manifest |= fields
    sample.conditions = conditions_hash(sample.manifest)
    sample.save()


def forget(*samples: Sample) -> None:
    """As an imported image: nothing is known but prompt and seed."""
    Sample.objects.filter(pk__in=[sample.pk for sample in samples]).update(conditions=None)


def all_groups(poll: Poll, rng: random.Random) -> list[frozenset[int]]:
    """What one voter is shown until nothing is left."""
    shown: list[frozenset[int]] = []
    while choice := choose(poll, rng=rng, seen=shown):
        group = frozenset(sample.pk for sample in choice.samples)
        assert group not in shown
        shown.append(group)
        contestants = [sample.contestant_id for sample in choice.samples]
        Enrolment.objects.filter(poll=poll, contestant__in=contestants).update(appearances=F("appearances") + 1)
    return shown


def legal(samples: list[Sample], seats: int) -> set[frozenset[int]]:
    """Every group of samples of one prompt and seed whose known conditions are one, listed by brute force."""
    groups = (group for group in combinations(samples, seats) if len({(s.prompt_id, s.seed) for s in group}) == 1)
    alike = (group for group in groups if len({s.conditions for s in group} - {None}) <= 1)
    return {frozenset(sample.pk for sample in group) for group in alike}


@pytest.mark.parametrize("kind", ["duel", "ffa"])
def test_two_conditions_are_two_cells_that_are_both_asked(kind: str) -> None:
    poll = ready_poll(kind, contestants=9, prompts=2)
    for sample in Sample.objects.filter(contestant__checkpoint__epoch__gt=4):
        change(sample, recipe={**sample.manifest["recipe"], "cfg": 3.0})
    shown = all_groups(poll, random.Random(1))
    assert set(shown) == legal(list(Sample.objects.all()), poll.seat_count)
    assert len(shown) == 2 * (comb(4, poll.seat_count) + comb(5, poll.seat_count))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["duel", "ffa"])
def test_whatever_is_known_or_not_exactly_the_legal_groups_are_shown(kind: str, seed: int) -> None:
    """Contestants at random under one of two conditions, or imported; also a cell with imported ones alone."""
    rng = random.Random(seed)
    poll = ready_poll(kind, contestants=6, prompts=2)
    for sample in Sample.objects.all():
        drawn = rng.choice(["one", "other", "imported"])
        if drawn == "imported" or (seed == 5 and sample.prompt == Prompt.objects.first()):
            forget(sample)
        elif drawn == "other":
            change(sample, dtype="bfloat16")
    shown = all_groups(poll, rng)
    assert set(shown) == legal(list(Sample.objects.all()), poll.seat_count)
    assert can_be_shown(poll) == bool(shown)


def test_sizes_count_the_imported_in_every_cell_of_their_prompt() -> None:
    poll = ready_poll("duel", contestants=5, prompts=1)
    one, two, three, four, five = Sample.objects.order_by("contestant_id")
    change(two, dtype="bfloat16")
    change(three, dtype="bfloat16")
    forget(four)
    forget(five)
    place, sizes = (one.prompt_id, one.seed), cell_sizes(poll, exposure_order(poll, random.Random(0)))
    two.refresh_from_db()
    assert sizes == {(*place, one.conditions): 3, (*place, two.conditions): 4}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", 12),
        ("recipe", {"cfg": 3.0}),
        ("prompt", "1boy"),
        ("dtype", "bfloat16"),
        ("environment", {"threads": 2}),
    ],
)
def test_a_matchup_of_unequal_sides_is_refused_by_field_and_leaves_nothing(voter, field: str, value: object) -> None:
    poll = ready_poll("duel", contestants=2, prompts=1)
    one, other = Sample.objects.order_by("contestant_id")
    check_conditions([one, other])
    change(other, **{field: value})
    with pytest.raises(RenderError, match=f"sides 1 and 2 differ in {field}"):
        show(poll, voter, [one, other], "by-hand/1")
    assert (Matchup.objects.count(), Ticket.objects.count()) == (0, 0)
    assert not Enrolment.objects.filter(appearances__gt=0).exists()
    assert choose(poll, rng=random.Random(1)) is None


def test_another_checkpoint_is_what_sides_may_differ_in(voter) -> None:
    poll = ready_poll("duel", contestants=2, prompts=1)
    one, other = Sample.objects.order_by("contestant_id")
    assert one.manifest["checkpoint"] != other.manifest["checkpoint"]
    assert one.conditions == other.conditions
    assert show(poll, voter, [one, other], "by-hand/1").matchup.seats.count() == 2


def test_imported_samples_meet_anybody(voter) -> None:
    poll = ready_poll("duel", contestants=2, prompts=1)
    one, other = Sample.objects.order_by("contestant_id")
    change(one, dtype="bfloat16")
    forget(other)
    assert choose(poll, rng=random.Random(2)) is not None
    show(poll, voter, list(Sample.objects.all()), "by-hand/1")
