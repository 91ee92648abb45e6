"""The joint fit with the covariance that resampled votes give it, in place of the formula's."""

from dataclasses import replace

import numpy as np

from rating.beliefs import ELO_PER_NAT, joint, joint_fit
from rating.bootstrap import Unit, bootstrap
from rating.fitting import Beliefs, FitOptions
from rating.system import Report, quiet
from rating.votes import Votes


def resampled(votes: Votes, options: FitOptions, report: Report = quiet) -> Beliefs:
    """As `rating.beliefs.joint`; voters, prompts, both or single votes are drawn `options.bootstrap` times."""
    fit = joint_fit(votes, options)
    by: Unit = "vote" if options.cluster == "none" else options.cluster
    rng = np.random.default_rng(options.seed)
    drawn = bootstrap(fit, votes, by=by, resamples=options.bootstrap, rng=rng, report=report)
    return replace(joint(votes, options, report), covariance=ELO_PER_NAT**2 * drawn.covariance())
