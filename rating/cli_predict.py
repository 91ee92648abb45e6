"""`python -m rating predict`: which system predicts votes best that it has not seen (docs/predictive-check.md)."""

import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rating.beliefs import WIDE
from rating.cli_fit import say, votes_of
from rating.elo import EloSystem
from rating.errors import RatingError, StateError
from rating.evaluation import cluster_folds, elo_forecaster, evaluate, joint_forecast, trueskill_forecaster
from rating.graph import vote_state
from rating.joint import fit_joint
from rating.printing import print_rows
from rating.progress import shown
from rating.system import Report
from rating.trueskill import TrueSkillSystem
from rating.votes import Votes

Floats = NDArray[np.float64]


def run(options: Namespace) -> int:
    """Print one row for each system. StateError where the votes determine no rating, RatingError for too few folds."""
    with shown() as report:
        votes = votes_of(options, report)
    state = vote_state(votes)
    if state.name not in ("ok", "separated"):
        raise StateError(state.message)
    say(state)
    votes = votes.take(votes.counted)
    folds = cluster_folds(votes, options.folds, np.random.default_rng(options.seed), options.cluster)
    with shown() as report:
        forecasts = {name: _held_out(votes, folds, forecast, name, report) for name, forecast in FORECASTS.items()}
    # All systems are scored on the same votes: those on contestants that the other folds know.
    known = np.logical_and.reduce([np.isfinite(forecast).all(axis=1) for forecast in forecasts.values()])
    _say_unknown(known, options.cluster)
    scored = votes.take(known)
    rows: list[dict[str, object]] = []
    for name, forecast in forecasts.items():
        found = evaluate(forecast[known], scored, draws="halves")
        rows.append(
            {
                "system": name,
                "votes": found.votes,
                "log_loss": found.log_loss,
                "brier": found.brier,
                "accuracy": found.accuracy,
                "ece": found.ece,
            }
        )
    rows.sort(key=lambda row: float(str(row["log_loss"])))
    print_rows(rows, options.format, sys.stdout, title=f"{options.folds} folds, held out by {options.cluster}")
    return 0


def _say_unknown(known: NDArray[np.bool_], cluster: str) -> None:
    """How many votes (N,) are not scored, on the error output. Raises RatingError where none can be."""
    if not known.any():
        remedy = "more --folds" if cluster == "none" else "--cluster none, or more --folds"
        raise RatingError(
            f"no vote can be scored: each is on a contestant that the other folds do not know; give {remedy}"
        )
    if left_out := int((~known).sum()):
        print(
            f"left out: {left_out} of {len(known)} votes, on contestants that the other folds do not know",
            file=sys.stderr,
        )


def _held_out(
    votes: Votes, folds: NDArray[np.intp], forecast: Callable[[Votes, Votes], Floats], name: str, report: Report
) -> Floats:
    """(N, S + 1) what is forecast of each fold's votes from those of the others."""
    found, count = np.full((len(votes), votes.seats.shape[1] + 1), np.nan), int(folds.max()) + 1
    for fold in range(count):
        held = folds == fold
        found[held] = forecast(votes.take(~held), votes.take(held))
        report(f"predicting by {name}", fold + 1, count)
    return found


def _coin(known: Votes, held: Votes) -> Floats:
    """The same probability for each seat."""
    seated = (held.seats >= 0).astype(np.float64)
    return np.concatenate([seated / seated.sum(axis=1, keepdims=True), np.zeros((len(held), 1))], axis=1)


def _elo(known: Votes, held: Votes, *, average: bool) -> Floats:
    system = EloSystem()
    standings = system.standings(system.fold(system.start(), known))
    if average:
        standings = {name: replace(one, value=one.average or one.value) for name, one in standings.items()}
    return elo_forecaster(system.initial)(standings, held)


def _trueskill(known: Votes, held: Votes) -> Floats:
    system = TrueSkillSystem()
    state = system.fold(system.start(), known)
    forecaster = trueskill_forecaster(draw_probability=system.draw_probabilities(state))
    return forecaster(system.standings(state), held)


def _joint(known: Votes, held: Votes) -> Floats:
    """With the wide prior that keeps separated votes finite."""
    return joint_forecast(fit_joint(known, ridge=WIDE), held)


FORECASTS: dict[str, Callable[[Votes, Votes], Floats]] = {
    "coin": _coin,
    "elo": partial(_elo, average=False),
    "elo average": partial(_elo, average=True),
    "trueskill": _trueskill,
    "joint": _joint,
}
