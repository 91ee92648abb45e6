"""Student's t against scipy's."""

import math

import numpy as np
import pytest
from scipy import special

from rating import student

DOFS = [2.0, 2.2, 3.7, 10.0, 30.0, 199.0, 1234.5, 1e5]


@pytest.mark.parametrize("dof", DOFS)
def test_distribution(dof: float) -> None:
    t = np.array([-1e6, -300.0, -39.0, -10.0, -2.0, -0.1, 0.0, 0.01, 1.0, 1.96, 3.0, 8.0, 20.0, 60.0, 1e4])
    np.testing.assert_allclose(student.cdf(t, dof), special.stdtr(dof, t), rtol=0, atol=1e-9)


@pytest.mark.parametrize("dof", DOFS)
@pytest.mark.parametrize("probability", [0.0005, 0.025, 0.2, 0.7, 0.975, 0.9995])
def test_quantile(probability: float, dof: float) -> None:
    assert student.quantile(probability, dof) == pytest.approx(special.stdtrit(dof, probability), rel=1e-6)


def test_without_end_it_is_the_normal_distribution() -> None:
    assert student.cdf([0.0, 1.959963984540054, -8.0], math.inf) == pytest.approx([0.5, 0.975, special.ndtr(-8.0)])
    assert student.quantile(0.975, math.inf) == pytest.approx(1.959963984540054)
