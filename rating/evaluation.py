"""How well a rating predicts votes it has not seen: log loss, Brier score, accuracy, calibration.

docs/predictive-check.md defines what is scored.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import log, sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from rating.covariance import cluster_codes
from rating.errors import RatingError
from rating.joint import JointFit, fit_joint
from rating.system import Estimate, RatingSystem
from rating.votes import DRAW, NOBODY, PICK, Votes

Floats = NDArray[np.float64]
Standings = Mapping[str, Estimate]
Forecaster = Callable[[Standings, Votes], Floats]
"""(N, S + 1) probabilities: that each seat is the one best, then that both of a duel draw (0: it knows no draws)."""
DrawScoring = Literal["own", "halves"]
NAT_PER_ELO = log(10.0) / 400.0
BINS = 10
NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(48)
CHUNK = 4096


@dataclass(frozen=True)
class Bin:
    """Forecasts between `low` and `high`: how many, their mean, and how often what they spoke of came true."""

    low: float
    high: float
    count: int
    forecast: float
    outcome: float


@dataclass(frozen=True)
class Evaluation:
    """How forecasts fared on `votes` votes; `unscored` more seat a contestant that the forecaster does not know.

    `log_loss` in nat a vote; `brier` in [0, 2]; `accuracy` in [0, 1]; `ece`, the expected calibration error, in [0, 1]
    over the bins of `reliability`. `outcome_log_loss` counts the whole outcome, all ranks, where the forecaster has
    probabilities for that: -mean log probability.
    """

    votes: int
    unscored: int
    log_loss: float
    brier: float
    accuracy: float
    ece: float
    reliability: tuple[Bin, ...]
    outcome_log_loss: float | None = None


def evaluate(forecast: Floats, votes: Votes, *, draws: DrawScoring = "own", bins: int = BINS) -> Evaluation:
    """Score forecasts (N, S + 1) of the counted votes; rows with nan are not scored.

    The event is who came first. With "own", a drawn duel is an event of its own wherever the forecast gives draws a
    probability; elsewhere, and with "halves" everywhere, a first place shared by t counts 1/t for each, and half of a
    draw's probability goes to each seat: what is forecast is then the expected score, as Elo does. Only "halves"
    compares forecasts that know draws with others.
    Raises RatingError where nothing can be scored.
    """
    known = votes.counted & np.isfinite(forecast).all(axis=1)
    if not known.any():
        raise RatingError("none of the votes can be scored: none is counted, or all seat unknown contestants")
    p, y = _classes(forecast[known], votes.take(known), draws)
    with np.errstate(divide="ignore", invalid="ignore"):
        losses = -np.where(y > 0, y * np.log(p), 0.0).sum(axis=1)
    likeliest = p == p.max(axis=1, keepdims=True)
    possible = np.concatenate([votes.seats[known] >= 0, p[:, -1:] > 0], axis=1)
    table = _reliability(p[possible], y[possible], bins)
    return Evaluation(
        votes=len(p),
        unscored=int(votes.counted.sum()) - len(p),
        log_loss=float(losses.mean()),
        brier=float(((p - y) ** 2).sum(axis=1).mean()),
        accuracy=float((y * likeliest / likeliest.sum(axis=1, keepdims=True)).sum(axis=1).mean()),
        ece=sum(row.count * abs(row.forecast - row.outcome) for row in table) / sum(row.count for row in table),
        reliability=table,
    )


def walk_forward(
    system: RatingSystem,
    votes: Votes,
    forecaster: Forecaster,
    *,
    step: int = 1,
    burn_in: int = 0,
    draws: DrawScoring = "own",
) -> Evaluation:
    """Predict each counted vote from those before it, in the order of the log, and score all after the first `burn_in`.

    The state is brought up to date every `step` votes: 1 is exact, more is faster.
    """
    counted = votes.take(votes.counted)
    state, forecasts = system.start(), []
    for start in range(0, len(counted), step):
        portion = counted.take(np.arange(start, min(start + step, len(counted))))
        forecasts.append(forecaster(system.standings(state), portion))
        state = system.fold(state, portion)
    scored = np.arange(min(burn_in, len(counted)), len(counted))
    width = counted.seats.shape[1] + 1
    return evaluate(np.concatenate([np.empty((0, width)), *forecasts])[scored], counted.take(scored), draws=draws)


def cross_validate(
    votes: Votes,
    folds: NDArray[np.integer],
    fit: Callable[[Votes], JointFit] = fit_joint,
    *,
    draws: DrawScoring = "own",
) -> Evaluation:
    """Predict the votes of each fold from a joint fit to those of the others; votes of fold -1 are never predicted.

    `folds` (N,) from `cluster_folds` or `time_split`. Raises StateError where the others determine no fit, unless `fit`
    has a prior, and RatingError for folds of another length or without a vote to predict.
    """
    if folds.shape != (len(votes),):
        raise RatingError(f"give one fold for each of {len(votes)} votes, not {folds.shape}")
    forecast, chance = np.full((len(votes), votes.seats.shape[1] + 1), np.nan), np.full(len(votes), np.nan)
    for fold in np.unique(folds[folds >= 0]):
        held = folds == fold
        fitted = fit(votes.take(~held))
        forecast[held] = joint_forecast(fitted, votes.take(held))
        chance[held] = fitted.log_probability(votes.take(held))
    predicted = folds >= 0
    found = evaluate(forecast[predicted], votes.take(predicted), draws=draws)
    return replace(found, outcome_log_loss=-float(chance[np.isfinite(forecast).all(axis=1) & votes.counted].mean()))


def cluster_folds(
    votes: Votes, count: int, rng: np.random.Generator, cluster: Literal["none", "voter", "prompt"] = "voter"
) -> NDArray[np.intp]:
    """(N,) one of `count` folds for each vote: votes of one cluster share it, those of an unknown one are spread.

    Raises RatingError for fewer clusters than folds.
    """
    codes = cluster_codes(votes, cluster)
    clusters = int(codes.max(initial=-1)) + 1
    if clusters < count:
        unit, remedy = ("votes", "") if cluster == "none" else (f"{cluster}s", ", or --cluster none")
        raise RatingError(f"{count} folds need {count} {unit}, these votes have {clusters}; give fewer --folds{remedy}")
    return np.asarray(rng.permutation(np.arange(clusters) % count)[codes])


def time_split(votes: Votes, share: float = 0.2) -> NDArray[np.intp]:
    """(N,) fold 0 for the latest `share` of the votes, -1 for those before, which are never predicted."""
    folds = np.full(len(votes), NOBODY, np.intp)
    folds[np.argsort(votes.times, kind="stable")[round(len(votes) * (1 - share)) :]] = 0
    return folds


def elo_forecaster(initial: float = 1500.0) -> Forecaster:
    """Elo's expected score as the probability of winning; of several seats, in proportion to 10^(R/400)."""

    def forecast(standings: Standings, votes: Votes) -> Floats:
        rating = _by_code(votes, {name: estimate.value for name, estimate in standings.items()}, initial)
        strength = NAT_PER_ELO * rating[votes.seats]
        strength[votes.seats < 0] = -np.inf
        weight = np.exp(strength - strength.max(axis=1, keepdims=True))
        return _without_draws(weight / weight.sum(axis=1, keepdims=True))

    return forecast


def trueskill_forecaster(
    mu: float = 25.0,
    sigma: float = 25.0 / 3.0,
    beta: float = 25.0 / 6.0,
    draw_probability: Mapping[str, float] | None = None,
) -> Forecaster:
    """TrueSkill's predictive probabilities: of a win and a draw in a duel, of being the best of several.

    `draw_probability` is by poll, as in TrueSkillSystem; the margin is Phi^-1((1 + q)/2) sqrt(2) beta.
    """
    share = draw_probability or {}

    def forecast(standings: Standings, votes: Votes) -> Floats:
        believed = {name: estimate.mu for name, estimate in standings.items() if estimate.mu is not None}
        spread = {name: estimate.sigma for name, estimate in standings.items() if estimate.sigma is not None}
        mean, sd = _by_code(votes, believed, mu)[votes.seats], _by_code(votes, spread, sigma)[votes.seats]
        margins = [NormalDist().inv_cdf((1 + share.get(poll, 0.0)) / 2) * sqrt(2) * beta for poll in votes.polls]
        duel = votes.sizes == 2
        p = np.zeros((len(votes), votes.seats.shape[1] + 1))
        p[duel] = _duel_chances(mean[duel], sd[duel], np.array(margins)[votes.poll[duel]], beta, p.shape[1])
        p[~duel, :-1] = _best_chances(mean[~duel], np.sqrt(sd[~duel] ** 2 + beta**2), votes.seats[~duel] >= 0)
        return p

    return forecast


def joint_forecast(fit: JointFit, votes: Votes) -> Floats:
    """(N, S + 1) what a joint fit says of each seat and of a draw; nan where it does not know a contestant."""
    counted = replace(votes, kinds=np.full(len(votes), PICK, np.int8), ids=(), extra={})
    seated = votes.seats >= 0
    p = np.zeros((len(votes), votes.seats.shape[1] + 1))
    for seat in range(votes.seats.shape[1]):
        here = np.flatnonzero(seated[:, seat])
        ranks = np.where(seated, (np.arange(seated.shape[1]) != seat).astype(np.int16), np.int16(NOBODY))
        p[here, seat] = np.exp(fit.log_probability(replace(counted, ranks=ranks).take(here)))
    if fit.ties != "half":
        duel = np.flatnonzero(votes.sizes == 2)
        ranks = np.where(seated, np.int16(0), np.int16(NOBODY))
        drawn = replace(counted, ranks=ranks, kinds=np.full(len(votes), DRAW, np.int8))
        p[duel, -1] = np.exp(fit.log_probability(drawn.take(duel)))
    return p


def _classes(forecast: Floats, votes: Votes, draws: DrawScoring) -> tuple[Floats, Floats]:
    """(N, S + 1) the probabilities that are scored, and what came true: 1, or 1/t for each of t that share it."""
    knows_draws = (forecast[:, -1] > 0) & (draws == "own")
    halves = forecast[:, :-1] + (votes.seats >= 0) * forecast[:, -1:] / 2
    p = np.where(knows_draws[:, None], forecast, _without_draws(halves))
    first = votes.ranks == 0
    shared = first.sum(axis=1)
    y = _without_draws(first / shared[:, None])
    drawn = knows_draws & (shared == 2) & (votes.sizes == 2)
    y[drawn] = np.arange(y.shape[1]) == y.shape[1] - 1
    return p, y


def _reliability(p: Floats, y: Floats, bins: int) -> tuple[Bin, ...]:
    """The bins, of equal width, that hold a forecast."""
    place = np.minimum((p * bins).astype(np.intp), bins - 1)
    counts = np.bincount(place, minlength=bins)
    forecasts, outcomes = np.bincount(place, p, minlength=bins), np.bincount(place, y, minlength=bins)
    return tuple(
        Bin(at / bins, (at + 1) / bins, int(counts[at]), forecasts[at] / counts[at], outcomes[at] / counts[at])
        for at in np.flatnonzero(counts).tolist()
    )


def _without_draws(p: Floats) -> Floats:
    return np.concatenate([p, np.zeros((len(p), 1))], axis=1)


def _by_code(votes: Votes, values: Mapping[str, float], otherwise: float) -> Floats:
    return np.array([values.get(name, otherwise) for name in votes.contestants])


def _duel_chances(mean: Floats, sd: Floats, margin: Floats, beta: float, width: int) -> Floats:
    """(N, width) of the first two seats, and of a draw in the last column."""
    p = np.zeros((len(mean), width))
    c = np.sqrt(2 * beta**2 + sd[:, 0] ** 2 + sd[:, 1] ** 2)
    gap = mean[:, 0] - mean[:, 1]
    p[:, 0], p[:, 1] = ndtr((gap - margin) / c), ndtr((-gap - margin) / c)
    p[:, -1] = np.where(margin > 0, ndtr((margin - gap) / c) - ndtr((-margin - gap) / c), 0.0)
    return p


def _best_chances(mean: Floats, sd: Floats, seated: NDArray[np.bool_]) -> Floats:
    """(N, S) that each performance N(mean, sd^2) is the greatest: the integral of its density times the others' cdf."""
    p = np.zeros(mean.shape)
    for start in range(0, len(mean), CHUNK):
        part = slice(start, start + CHUNK)
        for seat in range(mean.shape[1]):
            x = mean[part, seat, None] + sd[part, seat, None] * NODES
            below = np.ones(x.shape)
            for other in range(mean.shape[1]):
                if other != seat:
                    cdf = ndtr((x - mean[part, other, None]) / sd[part, other, None])
                    below *= np.where(seated[part, other, None], cdf, 1.0)
            p[part, seat] = np.where(seated[part, seat], below @ NODE_WEIGHTS, 0.0)
    return np.asarray(p / p.sum(axis=1, keepdims=True))
