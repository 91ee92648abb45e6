"""evalica's Rust kernels, called with ready lists of integers and a ready index."""

import evalica
import pandas

PACKAGES = ("evalica",)


def elo(votes, size):
    lists = _lists(votes, size)
    return lambda: evalica.elo(**lists, k=32.0)


def fit(votes, size):
    lists = _lists(votes, size)
    return lambda: evalica.bradley_terry(**lists)


def bootstrap(votes, size):
    """`size` resamples of 100,000 votes."""
    lists = _lists(votes, 100_000)
    return lambda: evalica.bootstrap(
        evalica.bradley_terry, **lists, n_resamples=size, bootstrap_method="percentile", random_state=0
    )


def _lists(votes, size):
    winners = [evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw]
    return {
        "xs": votes["left"][:size].tolist(),
        "ys": votes["right"][:size].tolist(),
        "winners": [winners[outcome] for outcome in votes["outcome"][:size].tolist()],
        "index": pandas.RangeIndex(20),
    }
