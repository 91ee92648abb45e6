"""What Elo, TrueSkill and the joint likelihood believe after the same votes, in one form."""

import importlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rating import student
from rating.averages import DecayingMean, WindowMean
from rating.covariance import clustered_covariance, well_known_gauge
from rating.elo import EloSystem
from rating.elo_interval import elo_interval
from rating.fitting import Beliefs, FitOptions
from rating.joint import JointFit, fit_joint
from rating.system import Report, folded, quiet
from rating.trueskill import TrueSkillSystem
from rating.votes import Votes

ELO_PER_NAT = 400.0 / math.log(10.0)
# The logistic distribution is close to a normal one of this standard deviation (Camilli 1994).
LOGISTIC_SD = 1.702
# Keeps the fit that measures the effect of clusters finite where votes are separated; far beyond any real distance.
WIDE = 3.0
Floats = NDArray[np.float64]


def elo_system(options: FitOptions) -> EloSystem:
    """Elo as the options have it. Raises CompiledError where it is to be compiled and cannot be."""
    decays = options.half_life is not None
    average = (
        DecayingMean(options.half_life or 0.0, options.clock) if decays else WindowMean(options.clock, options.window)
    )
    make: type[EloSystem] = _compiled("CompiledElo") if options.compiled else EloSystem
    return make(options.k, options.initial, average)


def trueskill_system(options: FitOptions) -> TrueSkillSystem:
    """TrueSkill as the options have it. Raises CompiledError where it is to be compiled and cannot be."""
    make: type[TrueSkillSystem] = _compiled("CompiledTrueSkill") if options.compiled else TrueSkillSystem
    return make(
        mu=options.mu,
        sigma=options.sigma,
        beta=options.beta,
        tau=options.tau,
        draw_probability=options.draw_probability,
        compat=options.compat,
        backend=options.backend,
    )


def _compiled(name: str) -> Any:
    """A class of rating.compiled, whose import alone takes as long as rating 100,000 votes."""
    return getattr(importlib.import_module("rating.compiled"), name)


def elo(votes: Votes, options: FitOptions, report: Report = quiet) -> Beliefs:
    """Elo's last values, with the covariance that resampled votes in random order give them (docs/elo.md)."""
    system = elo_system(options)
    rng = np.random.default_rng(options.seed)
    spread = elo_interval(system, votes, cluster=options.cluster, rng=rng, report=report)
    standings = system.standings(spread.state)
    average = {name: math.nan if one.average is None else one.average for name, one in standings.items()}
    columns = {"average": _by_code(votes, average)}
    return Beliefs(votes.contestants, spread.value, spread.covariance, nat=1.0 / ELO_PER_NAT, columns=columns)


def trueskill(votes: Votes, options: FitOptions, report: Report = quiet) -> Beliefs:
    """TrueSkill's beliefs; their sds widened by what clusters of votes do to the joint likelihood's standard errors."""
    system = trueskill_system(options)
    standings = system.standings(folded(system, system.start(), votes, report))
    mu = _by_code(votes, {name: one.mu for name, one in standings.items() if one.mu is not None})
    sigma = _by_code(votes, {name: one.sigma for name, one in standings.items() if one.sigma is not None})
    report("measuring clusters", 0, 0)
    wider = widened(sigma, options.sigma, widening(votes, options))
    return Beliefs(
        votes.contestants,
        mu,
        np.diag(wider**2),
        nat=LOGISTIC_SD / (math.sqrt(2.0) * options.beta),
        columns={"mu": mu, "sigma": sigma, "conservative": mu - 3.0 * sigma},
    )


def joint_fit(votes: Votes, options: FitOptions) -> JointFit:
    """The joint fit as the options have it. Raises CompiledError where it is to be compiled and cannot be."""
    loops = _compiled("CompiledJoint")() if options.compiled else None
    return fit_joint(votes, ties=options.ties, left_seat=options.left_seat, loops=loops)


def joint(votes: Votes, options: FitOptions, report: Report = quiet) -> Beliefs:
    """The order-free fit, in Elo points around `options.initial`; `strength` is the same in nat around 0."""
    fit = joint_fit(votes, options)
    report("measuring clusters", 0, 0)
    clustered = clustered_covariance(fit, votes, options.cluster)
    strength = fit.estimate[: len(votes.contestants)]
    return Beliefs(
        votes.contestants,
        options.initial + ELO_PER_NAT * strength,
        ELO_PER_NAT**2 * clustered.matrix,
        nat=1.0 / ELO_PER_NAT,
        dof=clustered.dof,
        columns={"strength": strength},
        notes=(
            *(f"{name} {fit.estimate[place]:+.3f} nat" for name, place in fit.terms.items()),
            *(f"{name} left out: {_always(name)}" for name in fit.left_out),
        ),
        fit=fit,
    )


def _always(term: str) -> str:
    return "the first seat won every vote, or none" if term.startswith("left:") else "every vote of the poll is a draw"


def widening(votes: Votes, options: FitOptions, *, left_seat: bool = False) -> Floats:
    """(n,) >= 1, how many times wider an interval becomes once votes of one cluster are taken together.

    Few clusters make Student's quantile larger than the normal one; the ratio is part of the number.
    """
    n = len(votes.contestants)
    if options.cluster == "none":
        return np.ones(n)
    fit = fit_joint(votes, ridge=WIDE, left_seat=left_seat)
    clustered = clustered_covariance(fit, votes, options.cluster)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.sqrt(np.diag(clustered.matrix) / np.diag(well_known_gauge(fit, fit.covariance()[:n, :n])))
    tail = 0.5 + options.level / 2
    of_few = student.quantile(tail, clustered.dof) / student.quantile(tail, math.inf)
    return np.maximum(np.nan_to_num(ratio, nan=1.0) * of_few, 1.0)


def widened(sd: Floats, prior: float, wider: Floats) -> Floats:
    """(n,) the sds once what the votes say counts for 1 / wider^2 of its precision; the prior of sd `prior` stays."""
    from_votes = np.maximum(sd**-2.0 - prior**-2.0, 0.0)
    return np.asarray((prior**-2.0 + from_votes / wider**2) ** -0.5)


def _by_code(votes: Votes, values: dict[str, float]) -> Floats:
    return np.array([values.get(name, math.nan) for name in votes.contestants])
