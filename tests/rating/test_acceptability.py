"""What passes, learned from votes that call all bad: by hand, by integration, in simulated worlds."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from rating.acceptability import SPREAD_SCALE, Acceptability, fit_acceptability
from rating.errors import StateError
from rating.votes import BAD, NOBODY, PICK, SKIP, Votes

Floats = NDArray[np.float64]


def asked(seats: NDArray[np.int32], bad: NDArray[np.bool_], n: int, skipped: NDArray[np.bool_] | None = None) -> Votes:
    """Picks of seat 1, or all bad, or skipped."""
    unknown = np.full(len(seats), NOBODY, np.int32)
    ranks = (np.arange(seats.shape[1]) > 0).astype(np.int16) * np.ones((len(seats), 1), np.int16)
    kinds = np.where(bad, BAD, PICK)
    if skipped is not None:
        kinds = np.where(skipped, SKIP, kinds)
    ranks[kinds != PICK] = NOBODY
    ranks[seats < 0] = NOBODY
    return Votes(
        contestants=tuple(f"c{code:03}" for code in range(n)),
        polls=("p",),
        prompts=(),
        voters=(),
        seats=seats.astype(np.int32),
        ranks=ranks,
        kinds=kinds.astype(np.int8),
        poll=np.zeros(len(seats), np.int32),
        prompt=unknown,
        voter=unknown,
        times=np.zeros(len(seats)),
    )


def world(rng: np.random.Generator, n: int, votes: int, seats: int, spread: float) -> tuple[Votes, Floats]:
    """Votes on random contestants, and the true share of each one's images that pass."""
    rate = np.exp(rng.normal(0.0, spread, n))
    seated = np.argsort(rng.random((votes, n)), axis=1)[:, :seats].astype(np.int32)
    bad = rng.random(votes) < np.exp(-rate[seated].sum(axis=1))
    return asked(seated, bad, n), -np.expm1(-rate)


def integrated(bad: dict[tuple[int, int], int], votes: int) -> tuple[Floats, Floats]:
    """Posterior means and sds of eta of three contestants, by sums over a grid; each pair was asked `votes` times."""
    grid = np.linspace(-2.0, 1.2, 50)
    eta = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"))
    log = np.zeros(eta.shape[1:])
    for (one, other), count in bad.items():
        rate = np.exp(eta[one]) + np.exp(eta[other])
        log += (votes - count) * np.log(-np.expm1(-rate)) - count * rate
    spread = np.geomspace(0.05, 3.0, 40)[:, None, None, None]
    # The mean among contestants, flat before, integrated by algebra; the half-normal prior, on a geometric grid.
    prior = -((eta - eta.mean(axis=0)) ** 2).sum(axis=0) / 2 / spread**2 - 2 * np.log(spread)
    prior = prior - (spread / SPREAD_SCALE) ** 2 / 2 + np.log(spread)
    posterior = np.exp(log - log.max()) * np.exp(prior).sum(axis=0)
    posterior /= posterior.sum()
    mean = (posterior * eta).sum(axis=(1, 2, 3))
    variance = (posterior * eta**2).sum(axis=(1, 2, 3)) - mean**2
    return mean, np.sqrt(variance)


def logits(fit: Acceptability) -> tuple[Floats, Floats]:
    """eta and the half width of its interval, from the shares."""
    eta, low, high = (np.log(-np.log1p(-share)) for share in (fit.share, fit.low, fit.high))
    return eta, (high - low) / 2


def test_equal_contestants_of_a_single_matchup_by_hand() -> None:
    # 100 duels of the same two, 25 all bad: exp(-2 r) = 1/4, so half of the images pass.
    bad = np.arange(100) < 25
    fit = fit_acceptability(asked(np.tile(np.array([[0, 1]], np.int32), (100, 1)), bad, 2))
    np.testing.assert_allclose(fit.share, 0.5, atol=1e-6)
    assert fit.votes.tolist() == [100, 100]
    assert fit.bad.tolist() == [25, 25]


def test_close_to_the_exact_posterior() -> None:
    bad = {(0, 1): 40, (1, 2): 25, (0, 2): 60}
    seats = np.repeat(np.array(list(bad), np.int32), 200, axis=0)
    called = np.concatenate([np.arange(200) < count for count in bad.values()])
    eta, half_width = logits(fit_acceptability(asked(seats, called, 3)))
    mean, sd = integrated(bad, 200)
    assert (np.abs(eta - mean) < 0.2 * sd).all()  # a mode, not a mean: the long tail is on the side of few passing
    np.testing.assert_allclose(half_width, 1.96 * sd, rtol=0.1)


def coverage(n: int, votes: int, seats: int, spread: float, worlds: int) -> tuple[float, float]:
    """The part of all intervals that hold the truth, and the mean learned spread."""
    rng = np.random.default_rng(7)
    hits, spreads = [], []
    for _ in range(worlds):
        given, truth = world(rng, n, votes, seats, spread)
        fit = fit_acceptability(given)
        hits.append((fit.low <= truth) & (truth <= fit.high))
        spreads.append(fit.spread)
    return float(np.mean(hits)), float(np.mean(spreads))


def test_intervals_hold_what_they_say() -> None:
    covered, spread = coverage(20, 2000, 2, 0.5, worlds=15)
    assert 0.91 <= covered <= 0.98
    assert spread == pytest.approx(0.5, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "votes", "seats", "spread"), [(20, 2000, 2, 0.5), (20, 2000, 4, 0.5), (50, 20000, 2, 1.0)]
)
def test_intervals_hold_what_they_say_in_many_worlds(n: int, votes: int, seats: int, spread: float) -> None:
    covered, learned = coverage(n, votes, seats, spread, worlds=100)
    assert 0.93 <= covered <= 0.97
    assert learned == pytest.approx(spread, abs=0.1)


def test_contestants_alike_borrow_from_each_other() -> None:
    rng = np.random.default_rng(3)
    votes, _ = world(rng, 20, 2000, 2, 0.0)
    fit = fit_acceptability(votes)
    assert fit.spread < 0.2
    assert np.ptp(fit.share) < 0.1


def test_duels_and_four_seats_are_taken_together() -> None:
    rng = np.random.default_rng(5)
    truth = np.array([0.8, 0.6, 0.4, 0.2])
    rate = -np.log1p(-truth)
    seats = np.array([rng.permutation(4) for _ in range(6000)], dtype=np.int32)
    seats[:3000, 2:] = NOBODY
    bad = rng.random(6000) < np.exp(-np.where(seats >= 0, rate[seats], 0.0).sum(axis=1))
    fit = fit_acceptability(asked(seats, bad, 4))
    np.testing.assert_allclose(fit.share, truth, atol=0.06)
    assert (fit.low < fit.share).all()
    assert (fit.share < fit.high).all()


def test_neither_seats_nor_order_matter() -> None:
    votes, _ = world(np.random.default_rng(2), 8, 300, 4, 0.5)
    rng = np.random.default_rng(0)
    order = rng.permutation(300)
    turned = asked(votes.seats[order][:, ::-1], votes.kinds[order] == BAD, 8)
    one, other = fit_acceptability(votes), fit_acceptability(turned)
    assert one.share.tobytes() == other.share.tobytes()
    assert one.low.tobytes() == other.low.tobytes()


def test_skips_say_nothing_and_the_unseen_have_no_share() -> None:
    votes, _ = world(np.random.default_rng(2), 6, 400, 2, 0.5)
    skipped = np.zeros(800, dtype=bool)
    skipped[400:] = True
    with_skips = asked(np.tile(votes.seats, (2, 1)), np.tile(votes.kinds == BAD, 2), 7, skipped)
    fit, expected = fit_acceptability(with_skips), fit_acceptability(votes)
    np.testing.assert_array_equal(fit.share[:6], expected.share)
    assert fit.votes.tolist() == [*expected.votes.tolist(), 0]
    assert math.isnan(fit.share[6])
    assert math.isnan(fit.low[6])
    assert math.isnan(fit.high[6])


def test_a_wider_level_is_wider() -> None:
    votes, _ = world(np.random.default_rng(2), 6, 400, 2, 0.5)
    narrow, wide = fit_acceptability(votes, level=0.5), fit_acceptability(votes, level=0.99)
    assert (wide.low < narrow.low).all()
    assert (narrow.high < wide.high).all()
    _, half_width = logits(narrow)
    _, wider = logits(wide)
    np.testing.assert_allclose(wider / half_width, 2.5758293 / 0.6744898, rtol=1e-6)


@pytest.mark.parametrize(
    ("bad", "skipped", "reason"),
    [
        ([False] * 4, [False] * 4, "None of 4 votes called all seats bad"),
        ([True] * 4, [False] * 4, "All 4 votes called all seats bad"),
        ([True] * 4, [True] * 4, "No votes"),
    ],
)
def test_votes_that_bound_nothing_are_said_to(bad: list[bool], skipped: list[bool], reason: str) -> None:
    seats = np.array([[0, 1], [1, 2], [2, 0], [0, 1]], np.int32)
    with pytest.raises(StateError, match=reason):
        fit_acceptability(asked(seats, np.array(bad), 3, np.array(skipped)))


def test_a_contestant_always_called_bad_stays_finite() -> None:
    seats = np.array([[0, 1]] * 30 + [[1, 2]] * 30 + [[2, 3]] * 30, np.int32)
    bad = np.arange(90) < 30
    fit = fit_acceptability(asked(seats, bad, 4))
    assert np.isfinite(fit.share).all()
    assert fit.share[0] < fit.share[2]
    assert ((fit.low > 0) & (fit.high <= 1)).all()
