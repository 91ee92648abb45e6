"""`python -m rating compare`: is B better than A, and how sure is that?"""

import sys
from argparse import Namespace
from itertools import combinations

import numpy as np

from rating import student
from rating.cli_fit import fit_options, say, votes_of
from rating.comparison import compare, elo_row
from rating.covariance import ClusteredCovariance
from rating.errors import RatingError, UnknownContestantError
from rating.fitting import Beliefs, FitOptions, beliefs
from rating.graph import vote_state
from rating.joint import JointFit
from rating.printing import Row, print_rows
from rating.progress import shown
from rating.ranks import difference_sd
from rating.selection import best_of, elo_rows
from rating.suggest import nearest
from rating.system import Report
from rating.votes import Votes


def run(options: Namespace) -> int:
    """Print one row for each pair, or for each contestant against the reference.

    Raises UnknownContestantError, RatingError for one name alone or a pair of the same, StateError where the votes
    determine no rating.
    """
    with shown() as report:
        votes = votes_of(options, report)
        chosen = fit_options(options, votes)
        if options.reference is not None:
            rows, note = _against(votes, chosen, options.contestants, options.reference, report)
        else:
            rows, note = _pairs(votes, chosen, options.contestants, report)
    if options.system != "joint":
        say(vote_state(votes))
    print_rows(rows, options.format, sys.stdout, title=f"compared by {options.system}, clusters by {options.cluster}")
    if options.format == "table" and note:
        print(note)
    return 0


def _pairs(votes: Votes, options: FitOptions, names: list[str], report: Report) -> tuple[list[Row], str]:
    if len(names) == 1:
        raise RatingError(f"{names[0]!r} alone makes no pair; name two contestants, or none for all pairs")
    if len(set(names)) < len(names):
        raise RatingError(f"cannot compare {names[0]!r} with itself; name two contestants, or none for all pairs")
    pairs = list(combinations(names or _rated(votes), 2))
    if options.system != "joint":
        found = beliefs(votes, options, report)
        return [_believed(found, options, a, b) for a, b in pairs], ""
    fit, covariance = _joint(votes, options, report)
    found_pairs = []
    for a, b in pairs:
        found_pairs.append(compare(fit, covariance, votes, a, b, cluster=options.cluster, level=options.level))
        report("comparing pairs", len(found_pairs), len(pairs))
    note = "differences are B less A in Elo points; the verdict may be looked at after every vote"
    return [elo_row(one) for one in found_pairs], note


def _joint(votes: Votes, options: FitOptions, report: Report) -> tuple[JointFit, ClusteredCovariance]:
    """The fit and its errors, by formula or by resampling."""
    found = beliefs(votes, options, report)
    assert found.fit is not None
    return found.fit, ClusteredCovariance(found.covariance * found.nat**2, found.dof)


def _believed(found: Beliefs, options: FitOptions, a: str, b: str) -> Row:
    """The pair by another system, in its own unit: it has an interval for one look, and no verdict for many."""
    one, other = _place(found, a), _place(found, b)
    difference = float(found.mean[other] - found.mean[one])
    se = float(difference_sd(found.covariance)[one, other])
    reach = student.quantile(0.5 + options.level / 2, found.dof) * se
    return {
        "a": a,
        "b": b,
        "difference": difference,
        "low": difference - reach,
        "high": difference + reach,
        "probability": float(student.cdf(difference / se, found.dof)),
    }


def _against(
    votes: Votes, options: FitOptions, names: list[str], reference: str, report: Report
) -> tuple[list[Row], str]:
    if options.system != "joint":
        raise RatingError("--reference corrects for the choice of the best by the joint fit; leave --system out")
    fit, covariance = _joint(votes, options, report)
    candidates = names or [name for name in _rated(votes) if name != reference]
    rng = np.random.default_rng(options.seed)
    found = best_of(fit, covariance, candidates, reference, level=options.level, rng=rng)
    return elo_rows(found), "intervals hold for all rows at once; the best one is corrected for having been chosen"


def _rated(votes: Votes) -> list[str]:
    return [votes.contestants[code] for code in np.unique(votes.seats[votes.counted]) if code >= 0]


def _place(found: Beliefs, name: str) -> int:
    if name not in found.contestants:
        raise UnknownContestantError(f"no vote rates a contestant {name!r}{nearest(name, found.contestants)}")
    return found.contestants.index(name)
