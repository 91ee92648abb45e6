"""Comparisons of checkpoints against scipy, and whether their intervals hold what they say."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from rating.ccip import MixedEncodersError, SuiteError, compare
from rating.ccip.intervals import estimate, holm
from tests.rating.ccip.world import images, score_of

TRUTH = 0.01


def two(characters: int, seeds: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    a, b = images(np.random.default_rng(seed), characters, seeds, TRUTH)
    return a, b


@pytest.mark.parametrize("characters", [2, 3, 10, 19])
def test_below_twenty_characters_it_is_the_paired_t_test(characters: int) -> None:
    a, b = two(characters)
    one = compare([score_of("a", a), score_of("b", b)])[0]
    by_scipy = stats.ttest_rel(b.mean(axis=1), a.mean(axis=1))
    interval = by_scipy.confidence_interval(0.95)
    assert (one.method, one.measure, one.characters, one.images) == ("t", "difference", characters, a.size)
    assert one.value == pytest.approx((b - a).mean())
    assert (one.low, one.high) == pytest.approx(tuple(interval), rel=1e-6)
    assert one.p == pytest.approx(by_scipy.pvalue, rel=1e-6)


def test_a_character_with_few_pairs_counts_as_much_as_the_others() -> None:
    """Of the first character one pair of four is left: -0.4 there, 0.1 and 0.3 for the others, each a third."""
    a, b = np.full((3, 4), 0.5), np.array([[0.1, 0.9, 0.9, 0.9], [0.6] * 4, [0.8] * 4])
    whole, lacking = score_of("a", a), score_of("b", b)
    one = compare([whole, replace(lacking, images=(lacking.images[0], *lacking.images[4:]))])[0]
    assert (one.images, len(one.dropped), one.value) == (9, 3, pytest.approx((-0.4 + 0.1 + 0.3) / 3))


def test_from_twenty_characters_characters_are_resampled() -> None:
    a, b = two(30)
    one = compare([score_of("a", a), score_of("b", b)], resamples=20_000)[0]
    means = (b - a).mean(axis=1)
    by_scipy = stats.bootstrap(
        (means,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(7)
    ).confidence_interval
    assert one.method == "bootstrap"
    # Two samples of 20,000 agree on such a quantile to about 2 % of the width.
    assert (one.low, one.high) == pytest.approx(tuple(by_scipy), abs=0.03 * (by_scipy.high - by_scipy.low))


@pytest.mark.parametrize(("characters", "method"), [(19, "t"), (20, "bootstrap")])
def test_the_method_changes_at_twenty_characters(characters: int, method: str) -> None:
    assert estimate(np.linspace(0.1, 0.2, characters))[0].method == method


def test_no_resample_beyond_zero_is_a_small_p_and_not_none() -> None:
    # Of 2000 resamples none lies on the other side: 2 (1 + 0) / (1 + 2000).
    assert estimate(np.linspace(0.1, 0.2, 20), resamples=2000)[1] == 2 / 2001


def test_the_same_seed_gives_the_same_numbers_in_any_order() -> None:
    a, b = two(25)
    scores = score_of("a", a), score_of("b", b)
    made = compare(scores, seed=3)
    assert compare(scores, seed=3) == made
    shuffled = [replace(one, images=one.images[::-1]) for one in scores]
    assert compare(shuffled, seed=3) == made
    assert compare(scores, seed=4)[0].low != made[0].low
    assert compare(scores, seed=4)[0].value == made[0].value


def test_the_lower_difference_and_the_higher_rate_are_better() -> None:
    a, b = two(25)
    difference, rate = compare([score_of("a", a), score_of("b", b + 0.2)])
    assert (difference.verdict, rate.verdict) == ("A", "A")
    assert difference.value > 0 > rate.value
    difference, rate = compare([score_of("b", b + 0.2), score_of("a", a)])
    assert (difference.verdict, rate.verdict) == ("B", "B")


def test_holm_by_hand() -> None:
    # 3 x 0.01; 2 x 0.02; 1 x 0.5, and never below the one before.
    assert holm([0.5, 0.01, 0.02]) == pytest.approx([0.5, 0.03, 0.04])
    assert holm([0.03, 0.02]) == pytest.approx([0.04, 0.04])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_all_pairs_are_corrected_for_each_other() -> None:
    rng = np.random.default_rng(0)
    values = images(rng, 12, 4, 0.0)[0]
    scores = [score_of(f"e{at}", values + rng.normal(0.004 * at, 0.02, values.shape)) for at in range(4)]
    made = [one for one in compare(scores) if one.measure == "difference"]
    assert [(one.a, one.b) for one in made] == [
        ("e0", "e1"), ("e0", "e2"), ("e0", "e3"), ("e1", "e2"), ("e1", "e3"), ("e2", "e3"),
    ]  # fmt: skip
    assert [one.p_holm for one in made] == holm([one.p for one in made])
    assert all(one.p_holm >= one.p for one in made)


def test_many_pairs_can_still_be_told_apart_by_resampling() -> None:
    values = images(np.random.default_rng(0), 25, 4, 0.0)[0]
    scores = [score_of(f"e{at:02}", values + 0.1 * at) for at in range(11)]
    made = [one for one in compare(scores, resamples=500) if one.measure == "difference"]
    assert len(made) == 55
    assert all(one.verdict == "A" for one in made)


def test_one_character_allows_no_interval() -> None:
    a, b = two(1)
    one = compare([score_of("a", a), score_of("b", b)])[0]
    assert (one.low, one.high, one.p, one.method, one.verdict) == (None, None, 1.0, "none", "undecided")


def test_characters_that_all_say_the_same_are_counted() -> None:
    # Six of one sign: 2 x (1 / 2) ** 6; five are too few.
    for characters, verdict in ((6, "A"), (5, "undecided")):
        a, _ = two(characters)
        one = compare([score_of("a", a), score_of("b", a + 0.125)])[0]
        assert one.p == 2 * 0.5**characters
        assert one.verdict == verdict
    made, p = estimate(np.zeros(5))
    assert (made.low, made.high, p) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"encoder": "other"}, MixedEncodersError, "different encoders"),
        ({"threshold": 0.2}, MixedEncodersError, r"0\.3 and 0\.2"),
        ({"suite": "other"}, SuiteError, "different suites"),
        ({"checkpoint": "a"}, SuiteError, "called 'a'"),
        ({"images": ()}, SuiteError, "no image of the same key"),
    ],
)
def test_what_cannot_be_compared_is_refused(change: dict, error: type[Exception], word: str) -> None:
    a, b = two(3)
    with pytest.raises(error, match=word):
        compare([score_of("a", a), replace(score_of("b", b), **change)])
    with pytest.raises(SuiteError, match="alone"):
        compare([score_of("a", a)])


def covered(characters: int, seeds: int, runs: int, seed: int = 0) -> float:
    rng = np.random.default_rng(seed)
    held = 0
    for run in range(runs):
        a, b = images(rng, characters, seeds, TRUTH)
        one = compare([score_of("a", a), score_of("b", b)], seed=run)[0]
        held += one.low <= TRUTH <= one.high
    return held / runs


def covered_by_images(characters: int, seeds: int, runs: int, seed: int = 0) -> float:
    """What everybody does: resample images, as if those of a character were independent."""
    rng = np.random.default_rng(seed)
    held = 0
    for _ in range(runs):
        a, b = images(rng, characters, seeds, TRUTH)
        paired = (b - a).ravel()
        means = paired[rng.integers(len(paired), size=(1000, len(paired)))].mean(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        held += low <= TRUTH <= high
    return held / runs


@pytest.mark.parametrize(("characters", "seeds"), [(10, 4), (20, 8)])
def test_intervals_over_characters_cover_what_they_say(characters: int, seeds: int) -> None:
    assert 0.90 <= covered(characters, seeds, 300) <= 0.98


def test_intervals_over_images_do_not() -> None:
    assert covered_by_images(20, 8, 300) < 0.90


@pytest.mark.slow
@pytest.mark.parametrize(("characters", "seeds"), [(5, 4), (10, 4), (15, 8), (20, 8), (20, 32), (40, 8), (60, 8)])
def test_coverage_at_length(characters: int, seeds: int) -> None:
    share = covered(characters, seeds, 3000, seed=1)
    naive = covered_by_images(characters, seeds, 1000, seed=1)
    print(f"C={characters} S={seeds}: characters {share:.3f}, images {naive:.3f}")
    assert 0.92 <= share <= 0.97
    assert naive < 0.90
