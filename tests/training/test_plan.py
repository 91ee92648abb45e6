"""The batch plan: every picture once an epoch, equal for any number of ranks, pure."""

import multiprocessing
from collections import Counter
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.plan import BatchPlan, cut

BUCKETS = [range(0, 23), [], range(23, 30), range(30, 94), [94]]


def rows(plan, epoch):
    return list(chain.from_iterable(batch.rows for batch in plan.epoch(epoch)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=6).filter(sum),
    st.integers(1, 9),
    st.integers(0, 5),
    st.integers(0, 3),
)
def test_short_trains_every_picture_once_and_the_others_do_what_they_say(sizes, batch, seed, epoch):
    buckets, first = [], 0
    for size in sizes:
        buckets.append(range(first, first + size))
        first += size
    short = BatchPlan(buckets, batch, seed)
    assert sorted(rows(short, epoch)) == list(range(first))
    assert short.steps == sum(-(-size // batch) for size in sizes)
    wrap = BatchPlan(buckets, batch, seed, "wrap")
    counted = Counter(rows(wrap, epoch))
    assert set(counted) == set(range(first))
    assert all(len(one.rows) == batch for one in wrap.epoch(epoch))
    assert sum(counted.values()) == wrap.steps * batch
    drop = BatchPlan(buckets, batch, seed, "drop")
    dropped = rows(drop, epoch)
    assert len(set(dropped)) == len(dropped) == sum(size // batch * batch for size in sizes)
    for plan in (short, wrap, drop):
        for one in plan.epoch(epoch):
            assert set(one.rows) <= set(buckets[one.bucket])


def test_what_is_dropped_changes_with_the_epoch():
    plan = BatchPlan(BUCKETS[:1], 4, 0, "drop")
    assert len({frozenset(range(23)) - set(rows(plan, epoch)) for epoch in range(10)}) > 5


@pytest.mark.parametrize("accumulation", [1, 2, 3])
@pytest.mark.parametrize("world", [1, 2, 4])
@pytest.mark.parametrize("remainder", ["short", "wrap", "drop"])
def test_the_union_of_ranks_and_micro_batches_is_the_plan(world, accumulation, remainder):
    plan = BatchPlan(BUCKETS, 12, 3, remainder)
    for batch in plan.epoch(1):
        parts = [batch.rows[cut(len(batch.rows), rank, world)] for rank in range(world)]
        assert tuple(chain.from_iterable(parts)) == batch.rows
        pieces = [part[cut(len(part), piece, accumulation)] for part in parts for piece in range(accumulation)]
        assert tuple(chain.from_iterable(pieces)) == batch.rows
        sizes = [len(part) for part in parts]
        assert max(sizes) - min(sizes) <= 1


def test_any_step_may_be_asked_for_first_and_again():
    plan = BatchPlan(BUCKETS, 8, 1)
    whole = [[plan.at(epoch, step) for step in range(plan.steps)] for epoch in range(4)]
    fresh = BatchPlan(BUCKETS, 8, 1)
    for epoch, step in [(3, 5), (0, 0), (2, plan.steps - 1), (3, 5), (1, 4)]:
        assert fresh.at(epoch, step) == whole[epoch][step]


def batches_of(step_and_epoch):
    step, epoch = step_and_epoch
    return BatchPlan(BUCKETS, 8, 7).at(epoch, step)


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_any_number_of_workers_sees_the_same_plan(workers):
    plan = BatchPlan(BUCKETS, 8, 7)
    asked = [(step, epoch) for epoch in range(2) for step in range(plan.steps)]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        found = pool.map(batches_of, asked, chunksize=2)
    assert found == [plan.at(epoch, step) for step, epoch in asked]


def test_epochs_seeds_and_buckets_are_shuffled():
    plan = BatchPlan(BUCKETS, 8, 1)
    assert rows(plan, 0) != rows(plan, 1)
    assert rows(plan, 0) != rows(BatchPlan(BUCKETS, 8, 2), 0)
    assert len({batch.bucket for batch in list(plan.epoch(0))[:6]}) > 1


def test_one_bucket_does_not_move_another():
    """Pictures added to one bucket leave the order within the others as it was."""
    plan, larger = BatchPlan(BUCKETS, 8, 1), BatchPlan([range(100, 190), *BUCKETS[1:]], 8, 1)
    for key in (2, 3):
        assert {batch for batch in plan.epoch(0) if batch.bucket == key} == {
            batch for batch in larger.epoch(0) if batch.bucket == key
        }


def test_wrong_values_are_refused():
    for arguments in (([], 4, 0), ([[]], 4, 0), ([[1]], 0, 0), ([[1]], 4, 0, "keep")):
        with pytest.raises(ValueError, match=r"no picture|must be"):
            BatchPlan(*arguments)
    plan = BatchPlan([[1, 2]], 2, 0)
    with pytest.raises(IndexError, match="has 1 steps"):
        plan.at(0, 1)
    with pytest.raises(ValueError, match="part must be from 0 to 1, got 2"):
        cut(5, 2, 2)


def test_buckets_below_a_batch_leave_no_step_when_remainders_are_dropped():
    assert BatchPlan([[1, 2]], 4, 0, "drop").steps == 0
