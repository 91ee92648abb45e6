"""Full rankings with ties, against samples of the exact posterior and the package's chain."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rating.chain import rate_as_package
from rating.levels import rate_ranking

BETA = 25 / 6
FRESH = (25.0, 25 / 3)
Skills = list[tuple[float, float]]


def ranked(skills: Skills, ranks: list[int], margin: float) -> Skills:
    after = rate_ranking([mu for mu, _ in skills], [sigma**2 for _, sigma in skills], ranks, BETA, margin)
    return [(mean, math.sqrt(variance)) for mean, variance in after]


def in_chains(skills: Skills, ranks: list[int], margin: float) -> Skills:
    """The package's chain averaged over every order in which tied seats could stand in it."""
    tiers = [[at for at, own in enumerate(ranks) if own == rank] for rank in sorted(set(ranks))]
    orders = [list(itertools.chain(*order)) for order in itertools.product(*map(itertools.permutations, tiers))]
    sums = np.zeros((len(ranks), 2))
    for order in orders:
        ties = [ranks[one] == ranks[other] for one, other in itertools.pairwise(order)]
        means, variances = [skills[at][0] for at in order], [skills[at][1] ** 2 for at in order]
        sums[order] += rate_as_package(means, variances, ties, BETA, margin, min_delta=1e-12)
    return [(mean, math.sqrt(variance)) for mean, variance in sums / len(orders)]


def sampled(skills: Skills, ranks: list[int], margin: float) -> Skills:
    """Given that tied seats are within the margin of each other and every place is ahead of the next by more."""
    rng = np.random.default_rng(11)
    drawn = np.stack([rng.normal(mu, sigma, 3_000_000) for mu, sigma in skills])
    performances = drawn + rng.normal(0.0, BETA, drawn.shape)
    kept = np.ones(drawn.shape[1], dtype=bool)
    for one, other in itertools.combinations(range(len(ranks)), 2):
        gap = performances[one] - performances[other]
        if ranks[one] == ranks[other]:
            kept &= np.abs(gap) < margin
        elif ranks[other] == ranks[one] + 1:
            kept &= gap > margin
    return list(zip(drawn[:, kept].mean(axis=1), drawn[:, kept].std(axis=1), strict=True))


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(0.1, 9)), min_size=2, max_size=6), st.floats(0, 5))
def test_without_ties_it_is_the_packages_chain(skills: Skills, margin: float) -> None:
    ties, means, variances = [False] * (len(skills) - 1), [mu for mu, _ in skills], [sigma**2 for _, sigma in skills]
    chain, early = (rate_as_package(means, variances, ties, BETA, margin, min_delta=delta) for delta in (1e-13, 1e-4))
    # Ten sweeps of the package are not always enough; what still moves then is no reference.
    assume(np.allclose(chain, early, rtol=0, atol=1e-8))
    after = rate_ranking(means, variances, list(range(len(skills))), BETA, margin)
    assert np.allclose(after, chain, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("skills", "ranks"),
    [
        ([FRESH] * 3, [0, 0, 0]),
        ([FRESH] * 4, [0, 1, 1, 2]),
        ([(25, 2), (27, 3), (24, 1), (20, 2)], [0, 0, 1, 1]),
        ([(22, 2), (27, 3), (24, 1), (28, 2)], [0, 0, 0, 1]),
    ],
    ids=["all tied", "middle", "two pairs", "three and one"],
)
def test_ties_are_as_close_to_the_exact_posterior_as_the_chains(skills: Skills, ranks: list[int]) -> None:
    # A margin of 3 is a draw probability of 0.39.
    exact, ours, chains = (rate(skills, ranks, 3.0) for rate in (sampled, ranked, in_chains))
    for (mean, sd), (own, own_sd), (theirs, _) in zip(exact, ours, chains, strict=True):
        noise = 0.03
        assert abs(own - mean) <= abs(theirs - mean) + noise
        assert own_sd == pytest.approx(sd, rel=0.03)


@pytest.mark.parametrize("ranks", [[0, 0, 0, 0], [0, 1, 1, 1], [0, 0, 1, 1], [0] * 12])
def test_equals_that_tie_come_out_equal(ranks: list[int]) -> None:
    after = ranked([FRESH] * len(ranks), ranks, 0.74)
    for one, other in itertools.combinations(range(len(ranks)), 2):
        if ranks[one] == ranks[other]:
            assert after[one] == pytest.approx(after[other], abs=1e-9)


@given(
    st.lists(st.tuples(st.floats(-40, 40), st.floats(0.1, 9)), min_size=4, max_size=4),
    st.sampled_from([[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1], [0, 1, 1, 2]]),
    st.permutations(range(4)),
)
def test_the_order_among_tied_seats_has_no_say(skills: Skills, ranks: list[int], order: list[int]) -> None:
    order = sorted(order, key=ranks.__getitem__)
    one, other = ranked(skills, ranks, 0.74), ranked([skills[at] for at in order], ranks, 0.74)
    for place, at in enumerate(order):
        assert other[place] == pytest.approx(one[at], abs=1e-8)


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(0.1, 9)), min_size=4, max_size=4), st.floats(-1e4, 1e4))
def test_a_constant_added_to_all_is_added_to_all(skills: Skills, constant: float) -> None:
    before = ranked(skills, [0, 1, 1, 2], 0.74)
    after = ranked([(mu + constant, sigma) for mu, sigma in skills], [0, 1, 1, 2], 0.74)
    for (mean, sd), (moved, moved_sd) in zip(before, after, strict=True):
        assert (moved - constant, moved_sd) == pytest.approx((mean, sd), abs=1e-8)


def test_a_tie_of_two_is_nearly_a_draw() -> None:
    # The triangle of two seats around a level against the box of a draw: the same variance, so they part only where
    # the margin is wide against what is known.
    draw = rate_as_package([25.0, 27.0], [4.0, 9.0], [True], BETA, 0.74)
    tie = rate_ranking([25.0, 27.0], [4.0, 9.0], [0, 0], BETA, 0.74)
    assert [x for belief in tie for x in belief] == pytest.approx([x for belief in draw for x in belief], abs=1e-3)


@pytest.mark.parametrize("gap", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("ranks", [[0, 1, 2, 3], [0, 0, 1, 1], [0, 0, 0, 0], [0, 1, 1, 2]])
@pytest.mark.parametrize("margin", [0.0, 1e-6, 0.74])
def test_no_gap_is_too_large(gap: float, ranks: list[int], margin: float) -> None:
    after = ranked([(0.0, 1.0), (gap, 2.0), (2 * gap, 1.0), (3 * gap, 0.1)], ranks, margin)
    assert all(math.isfinite(mean) and 0 < sd <= 2 for mean, sd in after)


def test_a_margin_of_zero_reads_a_tie_as_equal_performances() -> None:
    # Then each tied performance is a measurement of the other's skill: N(m, 1 / (1 / P + 1 / P')).
    (mean, _), (other, _) = ranked([(20.0, 3.0), (26.0, 3.0)], [0, 0], 0.0)
    level, noise = 23.0, 9.0 + BETA**2
    assert mean == pytest.approx(20.0 + 9.0 / noise * (level - 20.0), abs=1e-6)
    assert other == pytest.approx(26.0 + 9.0 / noise * (level - 26.0), abs=1e-6)
