import math
import random
from dataclasses import replace
from itertools import pairwise

import pytest

from generation.planner import STAY, Cost, Job, forecast, next_job, plan, runs, stays

COST = Cost(swap_seconds=4.0, batch_seconds=1.5)


def job(key, checkpoint, asked_at=0.0, **more):
    return Job(key, checkpoint, (64, 64), more.pop("sampler", "euler_a"), asked_at, **more)


def many(seconds, seed=1):
    """1,000 jobs of one image over 20 checkpoints, in random order, asked for within so many seconds."""
    numbers = random.Random(seed)
    checkpoints = [f"checkpoint {number}" for number in range(20)] * 50
    numbers.shuffle(checkpoints)
    times = sorted(numbers.uniform(0, seconds) for _ in checkpoints)
    return [job(f"{number:04}", name, at) for number, (name, at) in enumerate(zip(checkpoints, times, strict=True))]


def served_first_come(jobs):
    return forecast(sorted(jobs, key=lambda one: one.asked_at), cost=COST, now=0.0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_thousand_jobs_need_a_tenth_of_the_swaps_and_none_waits_too_long(seed):
    jobs = many(60, seed)
    # 1,000 jobs of 1.5 s and 20 swaps of 4 s are 1,580 s of work.
    found = plan(jobs, cost=COST, now=60.0, age_seconds=1800)
    assert found.swaps == 20
    assert found.seconds == pytest.approx(1580)
    assert found.longest_wait <= 1800
    assert found.swaps <= 20 * math.ceil(found.seconds / 1800), "at most once each in every stretch of the bound"
    first_come = served_first_come(jobs)
    assert first_come.swaps >= 10 * found.swaps
    assert sorted(step.job.key for step in found.steps) == [one.key for one in jobs]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("seconds", [400, 800])
def test_a_tenth_of_the_swaps_is_enough_while_jobs_come_faster_than_they_are_done(seed, seconds):
    jobs = many(seconds, seed)
    found = plan(jobs, cost=COST, now=0.0, age_seconds=1800)
    assert served_first_come(jobs).swaps >= 10 * found.swaps
    assert found.longest_wait <= 1800


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("age", [300, 600])
def test_no_job_passes_the_age_bound_while_jobs_keep_coming(seed, age):
    """Over 2,500 s: 1,500 s of rendering. First come, first served would need longer than there is."""
    jobs = many(2500, seed)
    found = plan(jobs, cost=COST, now=0.0, age_seconds=age)
    assert found.longest_wait <= age
    first_come = served_first_come(jobs)
    assert found.swaps < first_come.swaps / 3
    assert first_come.longest_wait > age


def test_a_bound_that_nobody_can_keep_costs_no_more_swaps():
    """All is overdue: the worker still goes checkpoint by checkpoint."""
    found = plan(many(1), cost=COST, now=5000.0, age_seconds=10)
    assert found.swaps == 20
    assert found.longest_wait > 10


def test_the_rule_by_hand():
    jobs = [job("a1", "a", 0), job("b1", "b", 1), job("a2", "a", 50), job("b2", "b", 2)]
    assert next_job(jobs, None, 60, 100).key == "a1"
    assert next_job(jobs, "b", 60, 100).key == "b1", "the loaded checkpoint goes on"
    assert next_job(jobs, "b", 100, 100).key == "a1", "a job at its bound comes first"
    assert next_job(jobs, "b", 101, 100).key == "b1", "one of the loaded checkpoint is due as well"
    assert next_job(jobs, "c", 60, 100).key == "a1", "nothing for the loaded one: the oldest"
    with pytest.raises(ValueError, match="no job"):
        next_job([], None, 0, 1)
    with pytest.raises(ValueError, match="must not be negative"):
        next_job(jobs, None, 0, -1)


def test_shapes_and_samplers_stay_together_within_a_checkpoint():
    samplers = ["euler_a", "euler", "euler_a", "euler", "dpmpp_2m", "euler_a"]
    jobs = [job(str(i), "a", float(i), sampler=name) for i, name in enumerate(samplers)]
    order = [step.job.sampler for step in plan(jobs, cost=COST, now=10, age_seconds=1000).steps]
    assert sum(one != other for one, other in pairwise(order)) == 2


def test_costs_by_hand():
    """a: 9 images in batches of 4 are 3 batches of 1.5 s; b: one batch of 2 s; a swap before each."""
    cost = Cost(4.0, 1.5, {"b": 2.0})
    found = plan([job("a", "a", 0, images=9, batch=4), job("b", "b", 1)], cost=cost, now=10, age_seconds=100)
    assert [(step.job.key, step.begins, step.ends, step.swaps) for step in found.steps] == [
        ("a", 14.0, 18.5, True),
        ("b", 22.5, 24.5, True),
    ]
    assert (found.swaps, found.seconds, found.longest_wait) == (2, 14.5, 21.5)
    assert plan([], cost=cost, now=0, age_seconds=1).seconds == 0
    assert [len(run) for run in runs(found.steps)] == [1, 1]
    assert plan([job("b", "b")], cost=cost, now=0, age_seconds=9, loaded="b").swaps == 0


def turns(*, age, swap, staying=True):
    """20 evaluations of 50 images of 1.5 s by the arena's rule: a turn is two images, after it the evaluation waits.

    How often the checkpoint changes, and the longest wait for a turn.
    """
    left = {f"checkpoint {number}": 50 for number in range(20)}
    since = dict.fromkeys(left, 0.0)
    clock, here, came, changes, longest = 0.0, None, 0.0, 0, 0.0
    while left:
        jobs = [job(name, name, since[name]) for name in left]
        chosen = next_job(jobs, here, clock, age, stays=staying and stays(came, swap, clock)).checkpoint
        longest = max(longest, clock - since[chosen])
        if chosen != here:
            clock, here, changes = clock + swap, chosen, changes + 1
            came = clock
        done = min(2, left[chosen])
        clock += 1.5 * done
        since[chosen] = clock
        left[chosen] -= done
        if not left[chosen]:
            del left[chosen]
    assert clock == 1500 + changes * swap
    return changes, longest


@pytest.mark.parametrize("age", [5, 60])
def test_evaluations_taking_turns_change_checkpoint_a_tenth_as_often_as_first_come(age):
    """All 20 are due again after each round; turns that are as short as can be would mostly load weights."""
    first_come = served_first_come(many(0)).swaps
    changes, longest = turns(age=age, swap=4.0)
    assert first_come >= 10 * changes
    assert turns(age=age, swap=4.0, staying=False)[0] > 4 * changes
    # Each of the other 19 has at most its stay (a turn may begin just before its end) and its loading.
    assert longest <= age + 3 + 19 * (STAY * 4 + 3 + 4)


def test_where_loading_takes_no_time_turns_are_as_before():
    assert turns(age=5, swap=0.0) == turns(age=5, swap=0.0, staying=False)


def test_a_checkpoint_stays_five_times_as_long_as_its_loading_took():
    assert stays(100.0, 4.0, 119.9)
    assert not stays(100.0, 4.0, 120.0)
    assert not stays(100.0, 0.0, 100.0)
    assert not stays(100.0, 4.0, 99.9), "the clock was set back"
    jobs = [job("a", "a", 0), job("b", "b", 90)]
    assert next_job(jobs, "b", 100, 5, stays=True).key == "b"
    assert next_job(jobs, "b", 100, 5).key == "b", "both are due"
    assert next_job([jobs[0], replace(jobs[1], asked_at=99)], "b", 100, 5).key == "a"
    assert next_job(jobs[:1], "b", 100, 5, stays=True).key == "a", "nothing is left for the loaded one"
