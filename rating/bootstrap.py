"""Resample the votes and fit again: the spread of the estimates without a formula (docs/uncertainty.md).

Duels are counted in cells first. All resamples of a batch are then fitted at once, on (cells, resamples) arrays;
rankings and picks go through `fit_joint`, one after another.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rating.covariance import cluster_codes
from rating.duels import Duels, determined, duels_of, fit_many
from rating.errors import RatingError, StateError
from rating.joint import JointFit, fit_joint
from rating.stages import always_drawn
from rating.system import Report, quiet
from rating.votes import Votes

Unit = Literal["vote", "voter", "prompt", "both"]
Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

BATCH = 1 << 18  # cells times resamples fitted at once: what is computed for them stays near the cache
SHORT = 2.0  # sds by which Poisson numbers fall short of the votes on average
MOST_REFUSED = 0.1
FEWEST = 10


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """`estimates` (R, n): theta of each resample in nat, mean 0, nan for those that took no part. `refused` more
    resamples determined no estimate and were left out.
    """

    estimates: Floats
    refused: int

    def covariance(self) -> Floats:
        """(n, n) of theta, nan for those that took no part."""
        return np.asarray(np.cov(self.estimates, rowvar=False))

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """(n,) and (n,) the percentile intervals of theta."""
        tail = (1.0 - level) / 2.0
        low, high = np.quantile(self.estimates, [tail, 1.0 - tail], axis=0)
        return low, high


def bootstrap(
    fit: JointFit,
    votes: Votes,
    *,
    by: Unit = "voter",
    resamples: int = 1000,
    rng: np.random.Generator,
    report: Report = quiet,
) -> Bootstrap:
    """Fit resampled votes again, each from the estimate of `fit`, which must be that of `votes`.

    `by` says what is drawn with replacement: votes, all votes of a voter, of a prompt, or voters and prompts, where a
    vote counts as often as its voter times its prompt was drawn (pigeonhole bootstrap: Owen 2007; it errs on the wide
    side). `report` is told of resamples.

    Raises StateError where more than a tenth of the resamples determine no estimate: without them the rest would look
    more certain than the votes are; and RatingError for fewer than FEWEST voters or prompts (or votes): drawn from so
    few, resamples differ too little.
    """
    votes = _bare(votes)
    fewest = min(int(codes.max(initial=-1)) + 1 for codes in _units(votes, by))
    if fewest < FEWEST:
        raise RatingError(
            f"resampling by {by} needs {FEWEST} to draw from, these votes have {fewest}: resamples would be too much "
            "alike. Use the intervals of the covariance, which allow for so few."
        )
    duels = fit.ridge is None and fit.ties != "rao-kupper" and bool((votes.sizes == 2).all())
    kept = (_refit_duels if duels else _refit)(fit, votes, by, resamples, rng, report)
    refused = resamples - len(kept)
    if refused > MOST_REFUSED * resamples:
        raise StateError(
            f"{refused} of {resamples} resamples by {by} determine no estimate: too much hangs on single ones. "
            "Collect votes of more voters on each contestant, or use the intervals of the covariance."
        )
    return Bootstrap(kept, refused)


def _bare(votes: Votes) -> Votes:
    """The counted votes without what names them and without other columns."""
    counted, votes = votes.counted, replace(votes, ids=(), extra={})
    return votes if counted.all() else votes.take(counted)


def _units(votes: Votes, by: Unit) -> list[Codes]:
    """What is drawn, as codes (N,); a vote counts by the product of how often each was."""
    if by == "both":
        return [cluster_codes(votes, "voter"), cluster_codes(votes, "prompt")]
    return [cluster_codes(votes, "none" if by == "vote" else by)]


def _drawn(units: int, rng: np.random.Generator) -> Floats:
    """(units,) how often each is drawn when as many are drawn as there are."""
    return _tally(rng.integers(units, size=units), units)


def _tally(codes: Codes, size: int) -> Floats:
    return np.bincount(codes, minlength=size).astype(np.float64)


def _refit(
    fit: JointFit,
    votes: Votes,
    by: Unit,
    resamples: int,
    rng: np.random.Generator,
    report: Report,
) -> Floats:
    n = len(fit.contestants)
    units = _units(votes, by)
    sizes = [int(codes.max(initial=-1)) + 1 for codes in units]
    left_seat = any(name.startswith("left:") for name in fit.terms)
    kept = []
    for done in range(1, resamples + 1):
        weights = np.ones(len(votes))
        for codes, size in zip(units, sizes, strict=True):
            weights *= _drawn(size, rng)[codes]
        try:
            again = fit_joint(
                votes, ties=fit.ties, left_seat=left_seat, weights=weights, start=fit.estimate, ridge=fit.ridge
            )
        except StateError:
            pass
        else:
            if (again.took_part == fit.took_part).all():
                kept.append(again.estimate[:n])
        report("resampling", done, resamples)
    return np.array(kept).reshape(-1, n)


def _refit_duels(
    fit: JointFit,
    votes: Votes,
    by: Unit,
    resamples: int,
    rng: np.random.Generator,
    report: Report,
) -> Floats:
    if fit.left_out:
        votes = votes.take(~always_drawn(votes, fit.ties)[0])
    duels = duels_of(fit, votes)
    count = _by_vote(duels, rng) if by == "vote" else _by_cluster(duels, _units(votes, by), rng)
    size = max(1, BATCH // duels.cells)
    kept, done = [], 0
    while done < resamples:
        batch = min(size, resamples - done)
        counts = count(batch).reshape(-1, 3, batch)
        kept.append(fit_many(duels, counts[..., determined(duels, counts)]))
        done += batch
        report("resampling", done, resamples)
    estimates = np.full((sum(map(len, kept)), len(fit.contestants)), np.nan)
    estimates[:, fit.took_part] = np.concatenate(kept)
    return estimates


def _by_vote(duels: Duels, rng: np.random.Generator) -> Callable[[int], Floats]:
    """Multinomial numbers of all cells: (cells, R) for R resamples.

    Poisson numbers are multinomial given their total (Johnson, Kotz and Balakrishnan 1997), and three times as fast to
    draw. They are made to fall short of the votes as a rule; those missing are drawn one by one, and
    a resample that does not fall short is drawn again, which depends on its total alone.
    """
    cell, votes, cells = duels.cell, len(duels.frame), duels.cells
    expected = _tally(cell, cells)[:, None] * max(0.0, 1.0 - SHORT / np.sqrt(votes))

    def count(resamples: int) -> Floats:
        counts = rng.poisson(expected, size=(cells, resamples))
        missing = votes - counts.sum(axis=0)
        while (over := np.flatnonzero(missing < 0)).size:
            counts[:, over] = rng.poisson(expected, size=(cells, len(over)))
            missing[over] = votes - counts[:, over].sum(axis=0)
        drawn = cell[rng.integers(votes, size=missing.sum())] * resamples + np.repeat(np.arange(resamples), missing)
        return counts + _tally(drawn, cells * resamples).reshape(cells, resamples)

    return count


def _by_cluster(duels: Duels, units: list[Codes], rng: np.random.Generator) -> Callable[[int], Floats]:
    """Votes of the same units and the same cell are counted once; a resample then weighs these counts: (cells, R)."""
    key = np.zeros(len(duels.frame), np.intp)
    for codes in [*units, duels.cell]:
        key = np.unique(key * (codes.max(initial=0) + 1) + codes, return_inverse=True)[1].ravel()
    alike = np.bincount(key)
    example = np.empty(len(alike), np.intp)
    example[key] = np.arange(len(key))
    cell = duels.cell[example]
    of_example = [(codes[example], int(codes.max(initial=-1)) + 1) for codes in units]

    def weighed() -> Floats:
        weight = alike.astype(np.float64)
        for codes, size in of_example:
            weight *= _drawn(size, rng)[codes]
        return np.asarray(np.bincount(cell, weight, duels.cells), dtype=np.float64)

    return lambda resamples: np.stack([weighed() for _ in range(resamples)], axis=-1)
