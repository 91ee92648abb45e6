"""The `trueskill` package as the one who rates: an optional backend, for those who want its own numbers."""

import importlib
import math
from collections.abc import Sequence
from typing import Any

from rating.errors import BackendError
from rating.gaussian import cdf, pdf, quantile
from rating.margins import probability_of
from rating.tree import Belief

MIN_DELTA = 1e-9
REMEDY = (
    "the backend trueskill-package needs the package trueskill: pip install 'illustration-arena[trueskill-package]'"
)


def rate_by_package(
    means: Sequence[float],
    variances: Sequence[float],
    ranks: Sequence[int],
    beta: float,
    margin: float,
    min_delta: float,
) -> list[Belief]:
    """The skills after a ranking, in the order given; its dynamics are off, as they are added before.

    Raises BackendError where the package is missing, or cannot tell an outcome this unlikely from an impossible one.
    """
    package = _package()
    environment = package.TrueSkill(
        beta=beta, tau=0.0, draw_probability=probability_of(margin, beta), backend=(cdf, pdf, quantile)
    )
    groups = [(package.Rating(mean, math.sqrt(variance)),) for mean, variance in zip(means, variances, strict=True)]
    try:
        rated = environment.rate(groups, ranks=list(ranks), min_delta=min_delta)
    except (FloatingPointError, ZeroDivisionError) as error:
        raise BackendError("the package trueskill cannot rate an outcome this unlikely; the backend own can") from error
    return [(rating.mu, rating.sigma * rating.sigma) for (rating,) in rated]


def check_package() -> None:
    """Raises BackendError where the package is missing."""
    _package()


def _package() -> Any:
    try:
        return importlib.import_module("trueskill")
    except ImportError as error:
        raise BackendError(REMEDY) from error
