"""What of TrueSkill 2 suits checkpoints: a shared skill with an offset for each poll, a walk along the epochs of a
training run, and a prior learned from the votes, in one fit that knows no order of votes.

Minka, Cleven & Zaykov (2018), MSR-TR-2018-8; which parts are used and which not is in docs/trueskill2.md. The
performances are logistic instead of normal, so that the votes' likelihood is that of `rating.joint`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count, pairwise

import numpy as np
from numpy.typing import NDArray

from rating.distinct import distinct_duels
from rating.errors import LineageError
from rating.evidence import MU, UNITS_PER_NAT, check_prior, maximise, require_comparable
from rating.likelihood import Likelihood, derivatives, likelihood_of
from rating.stages import stages, term_names
from rating.system import Report, quiet
from rating.votes import Votes

Array = NDArray[np.float64]
Lineage = Mapping[str, tuple[str, float]]

# Weak opinions before the votes: a median and the sd of the logarithm (for rho, of the log odds).
SD_MEDIAN, SD_SPREAD = 1.0, 1.0  # nat
RHO_MEDIAN, RHO_SPREAD = 0.7, 1.5
GAMMA_MEDIAN, GAMMA_SPREAD = 0.3, 1.5  # nat for one epoch
TIE_SD = 2.0  # of log nu around 0, in nat
LEFT_SD = 0.5  # of the left seat's bonus around 0, in nat
NEWTON_LIMIT = 100
# The last Newton step, in nat. Steps shrink quadratically: the error left is about the square of this.
CLOSE, CLOSE_IN_SEARCH = 1e-6, 1e-2


@dataclass(frozen=True)
class Prior:
    """`sd` of a skill in nat, `rho` the correlation of one contestant's skills in two polls, `gamma` the sd of a step
    from one epoch of a run to the next, in nat."""

    sd: float
    rho: float
    gamma: float


@dataclass(frozen=True, eq=False)
class TrueSkill2Fit:
    """What is believed of n contestants in P polls: a normal distribution in nat.

    `skills` (P, n) are the modes, 0 the prior's mean, nan for those without a counted vote. `covariance` (P, n, P, n)
    is Laplace's, 0 for those. `terms` are the ties and left seats of the polls as in `rating.joint`.
    `log_evidence` compares priors on the same votes. The properties are on TrueSkill's scale, mean 25 at first.
    """

    contestants: tuple[str, ...]
    polls: tuple[str, ...]
    took_part: NDArray[np.bool_]
    skills: Array
    covariance: Array
    terms: dict[str, float]
    prior: Prior
    log_evidence: float
    iterations: int

    @property
    def shared(self) -> Array:
        """(n,) the skill over all polls, in nat: the mean of a contestant's skills in the polls, each poll alike."""
        return np.asarray(self.skills.mean(axis=0))

    @property
    def shared_covariance(self) -> Array:
        """(n, n) of `shared`, in nat^2."""
        return np.asarray(self.covariance.mean(axis=(0, 2)))

    @property
    def mu(self) -> Array:
        """(n,) `shared` on TrueSkill's scale."""
        return MU + UNITS_PER_NAT * self.shared

    @property
    def sigma(self) -> Array:
        """(n,) the sd of `mu`."""
        return _sds(self.shared_covariance, self.took_part)

    @property
    def conservative(self) -> Array:
        """(n,) mu - 3 sigma."""
        return np.asarray(self.mu - 3 * self.sigma)

    @property
    def poll_mu(self) -> Array:
        """(P, n) the skills in each poll on TrueSkill's scale."""
        return MU + UNITS_PER_NAT * self.skills

    @property
    def poll_sigma(self) -> Array:
        """(P, n) the sds of `poll_mu`."""
        return np.stack([_sds(self.covariance[at, :, at], self.took_part) for at in range(len(self.polls))])


@dataclass(frozen=True, eq=False)
class Problem:
    """The votes as a likelihood of P * n skills, poll by poll, and terms; and what the prior must know of them."""

    likelihood: Likelihood
    polls: int
    descent: "Descent"
    term_sds: Array


@dataclass(frozen=True, eq=False)
class Descent:
    """How n contestants descend: skill i is the sum over j of sd first[i, j] x_j + gamma steps[i, j] x_j, x ~ N(0, 1).

    `first` (n, n) points to the first epoch of i's run, or to i itself; `steps` (n, n) holds the root of each distance
    in epochs on the way from there to i.
    """

    first: Array
    steps: Array


@dataclass(frozen=True, eq=False)
class Mode:
    """The most probable parameters (p,), their posterior covariance (p, p), the log evidence, Newton steps."""

    at: Array
    covariance: Array
    log_evidence: float
    iterations: int


def fit_trueskill2(
    votes: Votes,
    *,
    lineage: Lineage | None = None,
    sd: float | None = None,
    rho: float | None = None,
    gamma: float | None = None,
    left_seat: bool = True,
    report: Report = quiet,
) -> TrueSkill2Fit:
    """Fit skills to all counted votes at once. A skill has the prior N(0, sd^2), correlation rho between polls.

    `lineage` names the run and the epoch of contestants that are checkpoints of one run: from an epoch to a later one,
    the skill moves by N(0, gamma^2) for each epoch between, with the same correlation between polls. Contestants it
    does not name are on their own. sd, rho (0 to 1) and gamma maximise the evidence unless given; `report` is told of
    the fits that this takes.

    Raises StateError for votes that determine nothing (none, all draws, groups that never met; separated ones are
    rated by the prior), LineageError for an epoch that is named twice or is not finite, PriorError for a prior that
    cannot be.
    """
    check_prior(sd=sd, rho=rho, gamma=gamma)
    votes, weights = distinct_duels(votes, votes.counted, None)
    require_comparable(votes)
    took_part = np.bincount(votes.seats[votes.seats >= 0], minlength=len(votes.contestants)) > 0
    active = [votes.contestants[code] for code in np.flatnonzero(took_part)]
    polls = np.unique(votes.poll)
    names = term_names(votes, votes.counted, "davidson", left_seat)
    problem = Problem(
        _likelihood(votes, weights, took_part, polls, names),
        len(polls),
        _descent(active, lineage or {}),
        np.array([LEFT_SD if name.startswith("left:") else TIE_SD for name in names]),
    )
    prior = _likely_prior(problem, sd, rho, gamma, report)
    mode = _mode(problem, prior, np.zeros(problem.likelihood.size))
    skilled = len(polls) * len(active)
    skills = np.full((len(polls), len(took_part)), math.nan)
    skills[:, took_part] = mode.at[:skilled].reshape(len(polls), -1)
    covariance = np.zeros(skills.shape * 2)
    of_active = mode.covariance[:skilled, :skilled].reshape((len(polls), len(active)) * 2)
    every, those = np.arange(len(polls)), np.flatnonzero(took_part)
    covariance[np.ix_(every, those, every, those)] = of_active
    return TrueSkill2Fit(
        contestants=votes.contestants,
        polls=tuple(votes.polls[code] for code in polls),
        took_part=took_part,
        skills=skills,
        covariance=covariance,
        terms=dict(zip(names, mode.at[skilled:].tolist(), strict=True)),
        prior=prior,
        log_evidence=mode.log_evidence,
        iterations=mode.iterations,
    )


def _likelihood(
    votes: Votes, weights: Array, took_part: NDArray[np.bool_], polls: NDArray[np.int32], names: list[str]
) -> Likelihood:
    """That of the joint fit, with a contestant in a poll as a contestant."""
    n = int(took_part.sum())
    terms = {name: len(polls) * n + at for at, name in enumerate(names)}
    batches, draws = [], []
    for at, poll in enumerate(polls):
        codes = (np.cumsum(took_part) - 1 + at * n).astype(np.intp)
        here = stages(votes, votes.poll == poll, codes, terms, "davidson")
        batches += here[0]
        draws += here[1]
    return likelihood_of(batches, draws, len(polls) * n + len(names), weights)


def _descent(contestants: list[str], lineage: Lineage) -> Descent:
    runs: dict[str, list[tuple[float, int]]] = {}
    for at, name in enumerate(contestants):
        if name in lineage:
            run, epoch = lineage[name]
            if not math.isfinite(epoch):
                raise LineageError(f"{name} is at epoch {epoch} of run {run}; an epoch is a finite number.")
            runs.setdefault(run, []).append((epoch, at))
    first, steps = np.eye(len(contestants)), np.zeros((len(contestants), len(contestants)))
    for run, epochs in runs.items():
        epochs.sort()
        for (before, parent), (epoch, at) in pairwise(epochs):
            if epoch == before:
                both = f"{contestants[parent]} and {contestants[at]}"
                raise LineageError(f"{both} are both epoch {epoch:g} of run {run}; name one of them.")
            first[at], steps[at] = first[parent], steps[parent]
            steps[at, at] = math.sqrt(epoch - before)
    return Descent(first, steps)


def _root(problem: Problem, prior: Prior) -> Array:
    """(p, p) L with L L' the prior covariance. Nothing is inverted: rho = 1 and gamma = 0 are as good as any."""
    polls = problem.polls
    mean = np.full((polls, polls), 1 / polls)
    of_polls = math.sqrt(1 - prior.rho) * (np.eye(polls) - mean) + math.sqrt(1 + (polls - 1) * prior.rho) * mean
    of_contestants = prior.sd * problem.descent.first + prior.gamma * problem.descent.steps
    skilled = polls * len(of_contestants)
    L = np.zeros((problem.likelihood.size, problem.likelihood.size))
    L[:skilled, :skilled] = np.kron(of_polls, of_contestants)
    L[range(skilled, len(L)), range(skilled, len(L))] = problem.term_sds
    return L


def _mode(problem: Problem, prior: Prior, start: Array, close: float = CLOSE) -> Mode:
    """Newton's method on z, with the parameters L z and z ~ N(0, 1) before the votes; `start` is in parameters."""
    L, likelihood = _root(problem, prior), problem.likelihood
    here, at = derivatives(likelihood, start), start
    z = np.zeros(len(L))
    value, moved, iterations = -math.inf, math.inf, 0
    while moved > close and iterations < NEWTON_LIMIT:
        iterations += 1
        M = np.eye(len(L)) + L.T @ here.information @ L
        aim = np.asarray(np.linalg.solve(M, L.T @ (here.gradient + here.information @ at)))
        step = aim - z
        here = derivatives(likelihood, L @ aim)
        # The first step comes from a point without a z and has nothing to lose.
        while here.value - aim @ aim / 2 < value - 1e-9 * abs(value) and np.abs(step).max() > close:
            step /= 2
            aim = z + step
            here = derivatives(likelihood, L @ aim)
        z, value = np.asarray(aim), here.value - float(aim @ aim) / 2
        moved = float(np.abs(L @ z - at).max())
        at = L @ z
    M = np.eye(len(L)) + L.T @ here.information @ L
    evidence = value - 0.5 * float(np.linalg.slogdet(M)[1])
    return Mode(at, L @ np.linalg.solve(M, L.T), evidence, iterations)


def _likely_prior(problem: Problem, sd: float | None, rho: float | None, gamma: float | None, report: Report) -> Prior:
    """What is not given, by the evidence times the weak opinions; where it has no influence, their medians."""
    sought = [sd is None, rho is None and problem.polls > 1, gamma is None and bool(problem.descent.steps.any())]

    def prior(free: Array) -> Prior:
        at = np.zeros(3)
        at[sought] = free
        return Prior(
            SD_MEDIAN * math.exp(at[0]) if sd is None else sd,
            1 / (1 + math.exp(-at[1]) * (1 / RHO_MEDIAN - 1)) if rho is None else rho,
            GAMMA_MEDIAN * math.exp(at[2]) if gamma is None else gamma,
        )

    medians = np.zeros(sum(sought))
    if not len(medians):
        return prior(medians)
    spreads = np.array([SD_SPREAD, RHO_SPREAD, GAMMA_SPREAD])[sought]
    start = _mode(problem, prior(medians), np.zeros(problem.likelihood.size)).at

    fits = count(1)

    def worth(free: Array) -> float:
        report("fitting the prior", next(fits), 0)
        # Far out a correlation rounds to 1 or a scale to 0: still a prior, and the opinion turns the search back.
        return _mode(problem, prior(free), start, CLOSE_IN_SEARCH).log_evidence - 0.5 * float(
            ((free / spreads) ** 2).sum()
        )

    return prior(maximise(worth, medians, step=0.7, tolerance=0.1, limit=60))


def _sds(covariance: Array, took_part: NDArray[np.bool_]) -> Array:
    """(n,) on TrueSkill's scale."""
    return np.where(took_part, UNITS_PER_NAT * np.sqrt(np.diagonal(covariance)), math.nan)
