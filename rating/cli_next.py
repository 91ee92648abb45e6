"""`python -m rating next`: which matchups to ask for next."""

import math
import sys
from argparse import Namespace
from statistics import fmean

import numpy as np

from rating.beliefs import WIDE
from rating.cli_fit import fit_options, say, votes_of
from rating.errors import UnknownContestantError
from rating.fitting import beliefs
from rating.graph import vote_state
from rating.joint import fit_joint
from rating.matchmaking import Costs, Posterior, Question, choose
from rating.printing import print_rows
from rating.progress import shown
from rating.suggest import nearest
from rating.votes import Votes


def run(options: Namespace) -> int:
    """Print the matchups, the most valuable first. StateError where the votes determine no rating."""
    with shown() as report:
        votes = votes_of(options, report)
        found = beliefs(votes, fit_options(options, votes), report)
    say(vote_state(votes))
    rated = np.flatnonzero(np.isfinite(found.mean))
    posterior = Posterior(np.nan_to_num(found.mean) * found.nat, np.nan_to_num(found.covariance) * found.nat**2)
    choices = choose(
        posterior,
        _question(votes, options),
        count=options.count,
        method=options.method,
        costs=Costs(options.gpu_seconds, options.voter_seconds, frozenset(_codes(votes, options.cached))),
        allowed=rated.tolist(),
        exposure=np.bincount(votes.seats[votes.seats >= 0], minlength=len(votes.contestants)),
        rng=np.random.default_rng(options.seed),
    )
    rows = [
        {
            "seats": [found.contestants[code] for code in choice.seats],
            "probability": choice.probability,
            "value": choice.value,
            "seconds": choice.cost,
            "value_per_second": choice.value_per_second,
        }
        for choice in choices
    ]
    print_rows(rows, options.format, sys.stdout, title=f"next matchups by {options.method}")
    return 0


def _question(votes: Votes, options: Namespace) -> Question:
    """What will be asked: of two seats with draws, as often as these votes have them."""
    if options.seats > 2:
        return Question(options.seats, options.answer)
    fit = fit_joint(votes, ridge=WIDE)
    ties = [math.exp(fit.estimate[place]) for name, place in fit.terms.items() if name.startswith("tie:")]
    return Question(2, "draws", fmean(ties)) if ties else Question()


def _codes(votes: Votes, names: list[str]) -> list[int]:
    for name in names:
        if name not in votes.contestants:
            raise UnknownContestantError(f"--cached: no vote names {name!r}{nearest(name, votes.contestants)}")
    return [votes.contestants.index(name) for name in names]
