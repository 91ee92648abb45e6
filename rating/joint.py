"""The order-free joint likelihood of all votes: strengths from duels, draws, picks and rankings in one fit.

Maximum likelihood by Newton's method on counts of identical stages; terms, formula and sources in docs/joint.md.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rating.distinct import distinct_duels
from rating.errors import PRIOR, RatingError, RunawayError, StateError
from rating.graph import vote_state
from rating.likelihood import (
    Likelihood,
    Loops,
    completed,
    derivatives,
    draw_slope,
    frames,
    gauge,
    likelihood_of,
    log_draw_factor,
    log_softmax,
    maximise,
)
from rating.stages import Draws, Stages, Ties, always_drawn, certain, stages, term_names
from rating.votes import Votes

IDENTIFIED = 1e-8  # share of its information that a term must keep once all other parameters are free


@dataclass(frozen=True, eq=False)
class Scores:
    """The gradient of each vote's log likelihood, as coordinates; entries of the same vote and parameter add up.

    `vote` indexes the votes, `parameter` the parameters of the fit, `value` is in
    1/nat. Votes that are not counted have none.
    """

    vote: NDArray[np.intp]
    parameter: NDArray[np.intp]
    value: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class JointFit:
    """Strengths and terms at the maximum of the likelihood.

    `parameters` (p names): the n contestants, then the terms. `estimate` (p,) in nat: log-strengths theta with mean 0
    over those that took part (`took_part` (n,); nan for the others), then the terms. 400/ln 10 Elo points are one nat.
    `information` (p, p) is minus the Hessian; its rows of contestants that took no part are 0. `ridge` is the sd of the
    prior, which is then part of `information` but not of `log_likelihood`. `left_out` names the terms without a finite
    estimate: those of the ties of a poll of draws alone, whose votes count for nothing, and of a left seat that won
    every vote, or none.
    """

    contestants: tuple[str, ...]
    took_part: NDArray[np.bool_]
    parameters: tuple[str, ...]
    estimate: NDArray[np.float64]
    information: NDArray[np.float64]
    log_likelihood: float
    iterations: int
    ties: Ties = "davidson"
    ridge: float | None = None
    left_out: tuple[str, ...] = ()

    @property
    def terms(self) -> dict[str, int]:
        """The place of each term among the parameters."""
        n = len(self.contestants)
        return {name: n + at for at, name in enumerate(self.parameters[n:])}

    def covariance(self) -> NDArray[np.float64]:
        """(p, p) the pseudo-inverse of the information: the covariance of the estimate with theta's mean held at 0.

        Rows and columns of contestants that took no part are 0.
        """
        along = gauge(self.information, self.took_part)
        n, length = len(self.contestants), along @ along
        inverse = np.linalg.inv(completed(self.information, self.took_part))
        # The common shift: an eigenvector of the information, of value 0, or 1/ridge**2 with a prior.
        curvature = along @ self.information @ along / length
        inverse -= np.outer(along, along) / length / (length + curvature)
        inverse[np.arange(n), np.arange(n)] -= ~self.took_part
        return np.asarray(inverse)

    def scores(self, votes: Votes) -> Scores:
        """The gradient of the log likelihood of each counted vote at the estimate.

        Contestants and polls are matched by name. Entries of votes that seat somebody the fit does not know are nan.
        """
        batches, draws = self._stages(votes)
        entries = [_stage_scores(batch, self._padded) for batch in batches]
        for drawn in draws:
            slope = draw_slope(self.estimate[drawn.margin])
            entries.append((drawn.vote, np.full_like(drawn.vote, drawn.margin), np.full(len(drawn.vote), slope)))
        if len(entries) == 1:
            return Scores(*entries[0])
        empty = np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)
        vote, parameter, value = (np.concatenate(column) for column in zip(empty, *entries, strict=True))
        return Scores(vote, parameter, value)

    def log_probability(self, votes: Votes) -> NDArray[np.float64]:
        """(N,) the log probability of each vote's outcome, given its seats.

        nan for votes that are not counted or seat somebody the fit does not know; -inf for a tie in a poll
        that had none of that size, and for anything else in a poll of draws alone. A draw under ties="half"
        has no probability: it gets the mean log probability of the two wins.
        """
        value = np.where(votes.counted, 0.0, np.nan)
        batches, draws = self._stages(votes)
        for batch in batches:
            index, frame = frames(batch, len(self._padded))
            with np.errstate(invalid="ignore"):
                table = log_softmax(self._padded[index] @ batch.design.T)
            of_row = np.where(batch.chosen < 0, -np.inf, table[frame, batch.chosen])
            # A vote has at most one stage in a batch, so plain indexing adds up.
            value[batch.vote] += batch.share * np.where(np.isnan(table[frame, 0]), np.nan, of_row)
        for drawn in draws:
            value[drawn.vote] += log_draw_factor(self.estimate[drawn.margin])
        for vote, all_drew in certain(votes, self.left_out, self.ties):
            value[vote] = np.where(np.isnan(value[vote]), np.nan, np.where(all_drew, 0.0, -np.inf))
        return value

    @property
    def _padded(self) -> NDArray[np.float64]:
        """The estimate and a place for everybody the fit does not know."""
        return np.append(self.estimate, np.nan)

    def _stages(self, votes: Votes) -> tuple[list[Stages], list[Draws]]:
        place = {name: at for at, name in enumerate(self.contestants)}
        codes = np.array([place.get(name, len(self.parameters)) for name in votes.contestants], dtype=np.intp)
        return stages(votes, votes.counted, codes, self.terms, self.ties)


def fit_joint(
    votes: Votes,
    *,
    ties: Ties = "davidson",
    left_seat: bool = True,
    weights: NDArray[np.float64] | None = None,
    start: NDArray[np.float64] | None = None,
    ridge: float | None = None,
    loops: Loops | None = None,
) -> JointFit:
    """Fit strengths and terms to the counted votes by maximum likelihood.

    `ties`: "davidson", "rao-kupper" (duels; ties among more stay Davidson-Luce) or "half" (a draw in a duel is half a
    win each). `left_seat` adds a bonus of the first seat for each poll that can tell it from the contestants and in
    which it won some votes but not all. Votes of a poll of draws alone count only with "half" or a ridge.
    `weights` (N,) >= 0 count each vote that many times. `start` is a former estimate: its strengths are used, and its
    terms where their number is the same. `ridge` is the sd in nat of a Gaussian prior of all
    parameters around 0: with one, everything but the absence of votes has a finite estimate. `loops` runs the loops:
    `rating.compiled.CompiledJoint()`, or numpy without.

    Raises StateError where the votes of positive weight determine no estimate: none, all draws, disconnected, separated
    (also a term), or ties in more than 10,000 ways at one rank; and RatingError for weights that are none.
    """
    counted = votes.counted if weights is None else _weighted(votes, weights)
    weight = 1.0 if weights is None or not counted.any() else _light(weights[counted])
    votes, weights = distinct_duels(votes, counted, weights)
    _check_state(votes, ridge)
    left_out: tuple[str, ...] = ()
    if ridge is None:
        drawn, left_out = always_drawn(votes, ties)
        if left_out:
            votes, weights = votes.take(~drawn), weights[~drawn]
            _check_state(votes, ridge)
    n = len(votes.contestants)
    names = term_names(votes, votes.counted, ties, left_seat)
    seated = np.zeros(n + 1, dtype=bool)
    seated[votes.seats] = True
    took_part = seated[:n]
    likelihood = _likelihood(votes, names, ties, weights, loops)
    out = _unidentified(likelihood, names, took_part)
    precision = 0.0 if ridge is None else ridge**-2
    while True:
        if out:
            names = [name for name in names if name not in out]
            likelihood = _likelihood(votes, names, ties, weights, loops)
        parameters = (*votes.contestants, *names)
        first = _start(names, n, start)
        first[:n] = np.where(took_part, first[:n] - first[:n][took_part].mean(), 0.0)
        try:
            estimate, there, iterations = maximise(likelihood, first, took_part, precision, parameters, weight)
            break
        except RunawayError as error:
            # A seat that always won tells nothing of its bonus, and need not keep the strengths from being told.
            out = {name for name in error.names if name.startswith("left:")}
            if not out:
                raise
            left_out = (*left_out, *sorted(out))
    estimate[:n] -= estimate[:n][took_part].mean()
    estimate[:n][~took_part] = np.nan
    of_prior = np.full(len(parameters), precision)
    of_prior[:n][~took_part] = 0.0
    return JointFit(
        contestants=votes.contestants,
        took_part=took_part,
        parameters=parameters,
        estimate=estimate,
        information=there.information + np.diag(of_prior),
        log_likelihood=there.value,
        iterations=iterations,
        ties=ties,
        ridge=ridge,
        left_out=left_out,
    )


def _weighted(votes: Votes, weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    if weights.shape != (len(votes),) or not (np.isfinite(weights) & (weights >= 0)).all():
        raise RatingError(f"weights must be {len(votes)} finite numbers of 0 or more, one for each vote")
    return np.asarray(votes.counted & (weights > 0))


def _light(weights: NDArray[np.float64]) -> float:
    """The smallest weight, but not smaller than rounding lets us see."""
    return float(max(weights.min(), 1e-6 * weights.mean()))


def _check_state(votes: Votes, ridge: float | None) -> None:
    state = vote_state(votes)
    if state.name == "no-votes" or (ridge is None and state.name != "ok"):
        remedy = f", {PRIOR}." if state.name == "separated" else "."
        raise StateError(state.message.removesuffix(".") + remedy)


def _likelihood(
    votes: Votes, names: list[str], ties: Ties, weights: NDArray[np.float64], loops: Loops | None
) -> Likelihood:
    n = len(votes.contestants)
    terms = {name: n + at for at, name in enumerate(names)}
    batches, draws = stages(votes, votes.counted, np.arange(n), terms, ties, loops.rankings if loops else None)
    return likelihood_of(batches, draws, n + len(names), weights, loops)


def _start(names: list[str], n: int, start: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Everybody equal, no bonus, ties as likely as wins; or a former estimate as far as it fits."""
    first = np.concatenate([np.zeros(n), [0.5 if name.startswith("margin:") else 0.0 for name in names]])
    if start is not None:
        known = len(first) if len(start) == len(first) else n
        first[:known] = np.nan_to_num(start[:known])
    return first


def _unidentified(likelihood: Likelihood, names: list[str], took_part: NDArray[np.bool_]) -> set[str]:
    """The left seats that the votes cannot tell from the strengths, such as where one contestant always sat first.

    A term is identified where its information, once all others are free (the Schur complement), is not lost. The
    null space does not depend on where we look, so look at the start.
    """
    n = len(took_part)
    left = n + np.flatnonzero([name.startswith("left:") for name in names])
    if not len(left):
        return set()
    information = derivatives(likelihood, _start(names, n, None)).information
    others = np.setdiff1d(np.arange(len(information)), left)
    rest = completed(information[np.ix_(others, others)], took_part)
    rest[np.diag_indices_from(rest)] *= 1 + 1e-12  # groups that never met (allowed with a ridge) leave it singular
    cross = information[np.ix_(others, left)]
    schur = information[np.ix_(left, left)] - cross.T @ np.linalg.solve(rest, cross)
    lost = set()
    for at, place in enumerate(left):
        if schur[at, at] <= IDENTIFIED * information[place, place]:
            lost.add(names[place - n])
        else:
            schur = schur - np.outer(schur[at], schur[at]) / schur[at, at]
    return lost


def _stage_scores(
    batch: Stages, estimate: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """What was chosen less what was expected, for each row and each of its q parameters."""
    index, frame = frames(batch, len(estimate))
    design = batch.design
    expected = np.exp(log_softmax(estimate[index] @ design.T)) @ design
    rows = batch.chosen >= 0
    frame, chosen, vote = frame[rows], batch.chosen[rows], batch.vote[rows]
    residual = (batch.share * (design - expected[:, None, :])).reshape(-1, design.shape[1])
    parameter = np.take(index, frame, axis=0).ravel()
    value = np.take(residual, frame * len(design) + chosen, axis=0).ravel()
    vote = np.repeat(vote, design.shape[1])
    known = parameter < len(estimate) - 1
    return (vote, parameter, value) if known.all() else (vote[known], parameter[known], value[known])
