"""FastChat's rating functions (fastchat.serve.monitor.elo_analysis) on a ready data frame.

The module also draws charts and reads server logs; stand-ins take the place of those imports.
"""

import sys
from unittest.mock import MagicMock

import numpy
import pandas

for absent in (
    "plotly", "plotly.express", "fastchat.model", "fastchat.model.model_registry",
    "fastchat.serve.monitor.basic_stats", "fastchat.serve.monitor.clean_battle_data",
):  # fmt: skip
    sys.modules[absent] = MagicMock()

from fastchat.serve.monitor import elo_analysis  # noqa: E402

PACKAGES = ("fschat", "scikit-learn")


def elo(votes, size):
    frame = _frame(votes, size)
    return lambda: elo_analysis.compute_elo(frame, K=32)


def fit(votes, size):
    frame = _frame(votes, size)
    return lambda: elo_analysis.compute_elo_mle_with_tie(frame)


def bootstrap(votes, size):
    """`size` resamples of 100,000 votes."""
    frame = _frame(votes, 100_000)
    return lambda: elo_analysis.get_bootstrap_result(frame, elo_analysis.compute_elo_mle_with_tie, size)


def _frame(votes, size):
    winners = numpy.array(["model_a", "model_b", "tie"])[votes["outcome"][:size]]
    names = numpy.array([f"contestant-{code:02d}" for code in range(20)])
    columns = {"model_a": names[votes["left"][:size]], "model_b": names[votes["right"][:size]], "winner": winners}
    return pandas.DataFrame(columns)
