"""The joint fit with the covariance that resampled votes give it, in place of the formula's."""

from dataclasses import replace

import numpy as np

from rating.beliefs import ELO_PER_NAT, joint
from rating.bootstrap import Unit, bootstrap
from rating.fitting import Beliefs, FitOptions
from rating.joint import fit_joint
from rating.votes import Votes


def resampled(votes: Votes, options: FitOptions) -> Beliefs:
    """As `rating.beliefs.joint`; voters, prompts, both or single votes are drawn `options.bootstrap` times."""
    fit = fit_joint(votes, ties=options.ties, left_seat=options.left_seat)
    by: Unit = "vote" if options.cluster == "none" else options.cluster
    rng = np.random.default_rng(options.seed)
    drawn = bootstrap(fit, votes, by=by, resamples=options.bootstrap, rng=rng)
    return replace(joint(votes, options), covariance=ELO_PER_NAT**2 * drawn.covariance())
