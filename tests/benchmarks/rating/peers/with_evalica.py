"""evalica's Rust kernels, called as its documentation does: with lists of names, or of integers where ours are too."""

import evalica
import pandas

PACKAGES = ("evalica",)
NAMES = [f"contestant-{code:02d}" for code in range(20)]


def elo(votes, size):
    lists = _lists(votes, size)
    xs, ys = ([NAMES[code] for code in lists.pop(side)] for side in ("xs", "ys"))
    return lambda: evalica.elo(xs, ys, **lists, k=32.0)


def elo_of_indices(votes, size):
    """With integers and a ready index: what is left is the kernel and taking over the lists."""
    lists = _lists(votes, size)
    return lambda: evalica.elo(**lists, index=pandas.RangeIndex(20), k=32.0)


def fit(votes, size):
    lists = _lists(votes, size)
    return lambda: evalica.bradley_terry(**lists, index=pandas.RangeIndex(20))


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
    }
