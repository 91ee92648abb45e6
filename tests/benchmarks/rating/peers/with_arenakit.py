"""arenakit's bootstrap of the Bradley-Terry fit, its arena built beforehand."""

from arenakit import Arena
from arenakit.boot import bootstrap as resample
from arenakit.schema import Battle

PACKAGES = ("arenakit",)


def bootstrap(votes, size):
    """`size` resamples of 100,000 votes."""
    columns = (votes[name][:100_000].tolist() for name in ("left", "right", "outcome"))
    arena = Arena(
        [
            Battle(model_a=str(left), model_b=str(right), winner=("a", "b", "tie")[outcome])
            for left, right, outcome in zip(*columns, strict=True)
        ]
    )
    return lambda: resample(arena, n_resamples=size)
