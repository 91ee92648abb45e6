"""Moments of cut normals, against 60-digit arithmetic (mpmath; 140 digits in the far tails of draws)."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.gaussian import draw_moments, draw_site, drawn, win_moments, win_site, won

# (t, v, v + t, 1 - w).
WINS = [
    (-1000000.0, 1000000.000001, 9.99999999998e-7, 9.99999999994e-13),
    (-1000.0, 1000.000999998, 0.00099999800000999993, 9.9999400004999948e-7),
    (-40.0, 40.024968847207264, 0.024968847207263723, 0.00062266837859138877),
    (-8.0, 8.1213681122361127, 0.12136811223611268, 0.01432488344334091),
    (-5.25, 5.4286553883860983, 0.17865538838609829, 0.030141463173596381),
    (-5.0, 5.1865039671258421, 0.18650396712584212, 0.032696434617112225),
    (-4.75, 4.9450301392146927, 0.19503013921469274, 0.035570083528107061),
    (-2.0, 2.3732155328228409, 0.37321553282284087, 0.11427910041408126),
    (0.0, 0.79788456080286536, 0.79788456080286536, 0.36338022763241866),
    (1.0, 0.28759997093917836, 1.2875999709391784, 0.6296862857766054),
    (5.0, 1.4867199409049057e-6, 5.0000014867199409, 0.99999256639808514),
    (8.0, 5.0522710835368954e-15, 8.0000000000000051, 0.99999999999995958),
]
# (t, margin, mean, variance) given the draw.
DRAWS = [
    (0.0, 1e-06, 0.0, 3.3333333333328886e-13),
    (0.0, 0.5, 0.0, 0.080589154600811698),
    (0.0, 3.0, 0.0, 0.97333692466254148),
    (1.0, 1e-06, 3.3333333333326664e-13, 3.3333333333322219e-13),
    (1.0, 1.25, 0.39481765184248608, 0.347161918632213),
    (1.0, 1.5, 0.5118049451986455, 0.44083010130711371),
    (2.0, 0.05, 0.001665002179512623, 0.00083139314651506059),
    (-2.5, 0.75, -0.36616712718912626, 0.10387746931527277),
    (4.0, 0.7, 0.44033177916084797, 0.057170452406859758),
    (4.0, 0.8, 0.53216930895303543, 0.061973966970624773),
    (8.0, 0.25, 0.13358873738876584, 0.010877897852099245),
    (8.0, 0.5, 0.37132650759842441, 0.015831945701999839),
    (40.0, 0.01, 0.001319307169691359, 3.2292756777539678e-5),
    (40.0, 0.1, 0.075035469504756919, 0.00061243985877284053),
    (-1000.0, 0.001, -0.00031303524840238597, 2.7593831466460149e-7),
    (1000000.0, 1e-08, 3.3333111113227493e-11, 3.333266667724853e-17),
    (1000000.0, 0.5, 0.4999989999995, 1.00000099999475e-12),
    (1000000.0, 3.0, 2.999998999997, 1.000006000021e-12),
]


@pytest.mark.parametrize(("t", "v", "gap", "left"), WINS)
def test_a_win_at_any_gap(t: float, v: float, gap: float, left: float) -> None:
    assert win_moments(t) == pytest.approx((v, v * gap), rel=1e-13)
    assert won(t) == pytest.approx((gap, left), rel=1e-11)


@pytest.mark.parametrize(("t", "e", "gap", "left"), DRAWS)
def test_a_draw_at_any_gap_and_margin(t: float, e: float, gap: float, left: float) -> None:
    found, spread = drawn(t, e)
    assert found == pytest.approx(gap, abs=1e-10 * math.sqrt(left))
    assert spread == pytest.approx(left, rel=1e-10)
    assert draw_moments(t, e) == pytest.approx((gap - t, 1.0 - left), rel=1e-10)


def test_a_draw_without_a_margin_makes_equals() -> None:
    for t in (0.0, 3.0, -1e6):
        v, w = draw_moments(t, 0.0)
        assert (v, w) == pytest.approx((-t, 1.0), rel=1e-15, abs=1e-15)


@given(t=st.floats(-1e6, 1e6), e=st.floats(0.0, 1e6))
def test_no_gap_and_no_margin_is_too_large(t: float, e: float) -> None:
    v, w = win_moments(t)
    assert v >= 0.0
    assert 0.0 <= w <= 1.0
    gap, left = drawn(t, e)
    assert abs(gap) <= max(e, 1e-8) * (1 + 1e-12)
    assert 0.0 < left <= 1.0 + 1e-12


@given(t=st.floats(-30.0, 30.0), e=st.floats(1e-6, 20.0))
def test_a_draw_is_the_same_from_both_sides(t: float, e: float) -> None:
    gap, left = drawn(t, e)
    assert drawn(-t, e) == (-gap, left)


@pytest.mark.parametrize("t", [-3.0, -0.5, 0.0, 2.0])
def test_moments_of_a_win_are_those_of_samples(t: float) -> None:
    z = np.random.default_rng(5).normal(t, 1.0, 1_000_000)
    kept = z[z > 0]
    v, w = win_moments(t)
    error = 5 / math.sqrt(len(kept))
    assert t + v == pytest.approx(kept.mean(), abs=error)
    assert 1 - w == pytest.approx(kept.var(), abs=2 * error)


@pytest.mark.parametrize("mean", [-1e6, -30.0, -2.0, 0.0, 3.0])
@pytest.mark.parametrize("margin", [0.0, 0.4])
def test_a_factor_turns_the_belief_into_the_cut_one(mean: float, margin: float) -> None:
    variance, root = 9.0, 3.0
    for site, cut in ((win_site, won((mean - margin) / root)), (draw_site, drawn(mean / root, margin / root))):
        precision, pull = site(mean, variance, margin)
        after = 1.0 / (1.0 / variance + precision)
        gap, left = cut
        start = margin if site is win_site else 0.0
        assert after == pytest.approx(variance * left, rel=1e-9)
        assert after * (mean / variance + pull) == pytest.approx(start + root * gap, rel=1e-9, abs=1e-9)
