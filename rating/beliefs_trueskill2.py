"""What the TrueSkill 2 fit believes, in the form of the other systems (docs/trueskill2.md)."""

import math

import numpy as np

from rating.beliefs import LOGISTIC_SD, widened, widening
from rating.fitting import Beliefs, FitOptions
from rating.system import Report, quiet
from rating.trueskill2 import fit_trueskill2
from rating.votes import Votes


def trueskill2(votes: Votes, options: FitOptions, report: Report = quiet) -> Beliefs:
    """The skills shared by all polls, and those in each; their sds widened as those of TrueSkill."""
    fit = fit_trueskill2(votes, lineage=options.lineage, left_seat=options.left_seat, report=report)
    unit = math.sqrt(2.0) * options.beta / LOGISTIC_SD
    mu, covariance = options.mu + unit * fit.shared, unit**2 * fit.shared_covariance
    sigma = np.where(fit.took_part, np.sqrt(np.diag(covariance)), np.nan)
    report("measuring clusters", 0, 0)
    wider = widened(sigma, unit * fit.prior.sd, widening(votes, options, left_seat=options.left_seat)) / sigma
    polls = {f"mu_{poll}": options.mu + unit * skills for poll, skills in zip(fit.polls, fit.skills, strict=True)}
    learned = [f"sd {fit.prior.sd:.2f} nat"]
    learned += [f"rho {fit.prior.rho:.2f}"] if len(polls) > 1 else []
    learned += [f"gamma {fit.prior.gamma:.2f} nat an epoch"] if options.lineage else []
    return Beliefs(
        votes.contestants,
        mu,
        covariance * np.outer(wider, wider),
        nat=1.0 / unit,
        columns={"mu": mu, "sigma": sigma, "conservative": mu - 3.0 * sigma} | (polls if len(polls) > 1 else {}),
        notes=(*learned, *(f"{name} {value:+.3f} nat" for name, value in fit.terms.items())),
    )
