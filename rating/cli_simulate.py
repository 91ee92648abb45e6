"""`python -m rating simulate`: draw the votes anew from what they say, and see how well a system finds it again."""

import sys
from argparse import Namespace
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rating import student
from rating.beliefs import ELO_PER_NAT, WIDE
from rating.cli_fit import fit_options, say, votes_of
from rating.errors import StateError
from rating.fitting import Beliefs, FitOptions, beliefs
from rating.graph import vote_state
from rating.joint import fit_joint
from rating.printing import print_rows
from rating.progress import shown
from rating.ranks import difference_sd
from rating.simulation import World, answers, fitted_world
from rating.votefile import write_votes
from rating.votes import Votes

Floats = NDArray[np.float64]
MOST_LEFT_OUT = 0.1  # of the repeats, before those that are left say something else than all


def run(options: Namespace) -> int:
    """Print each contestant's truth, error and coverage over the repeats; or write one simulated file."""
    with shown() as report:
        votes = votes_of(options, report)
    chosen = fit_options(options, votes)
    state = vote_state(votes)
    if state.name not in ("ok", "separated"):
        raise StateError(state.message)
    say(state)
    # A wide prior keeps the truth finite where votes are separated.
    truth = fit_joint(votes, ties="davidson", left_seat=chosen.left_seat, ridge=WIDE)
    world = replace(fitted_world(truth, votes), taste=options.taste)
    rng = np.random.default_rng(options.seed)
    if options.write:
        write_votes(options.write, answers(world, votes, rng))
        print(f"wrote {len(votes)} simulated votes to {options.write}", file=sys.stderr)
        return 0
    found = _repeated(world, votes, chosen, options.repeats, rng)
    rated = np.flatnonzero(truth.took_part)
    strength = truth.estimate[rated]
    rows, covered = _rows(votes, rated, strength, found, chosen)
    print_rows(rows, options.format, sys.stdout, title=f"{options.system} on {len(found)} simulated repeats")
    if options.format == "table":
        print(f"pairs of contestants: {covered:.1%} of their {chosen.level:.0%} intervals cover the true difference")
    return 0


def _repeated(world: World, votes: Votes, options: FitOptions, repeats: int, rng: np.random.Generator) -> list[Beliefs]:
    """What the system makes of the votes, drawn anew; repeats that determine no rating are left out, which is said.

    Raises StateError where none determines one.
    """
    found: list[Beliefs] = []
    reason = ""
    with shown() as report:
        for repeat in range(repeats):
            try:
                found.append(beliefs(answers(world, votes, rng), options))
            except StateError as error:
                reason = str(error)
            report("rating simulated votes", repeat + 1, repeats)
    left_out = repeats - len(found)
    if not found:
        raise StateError(f"none of {repeats} repeats determines a rating by {options.system}. The last one: {reason}")
    if left_out:
        print(f"left out: {left_out} of {repeats} repeats. The last one: {reason}", file=sys.stderr)
    if left_out > MOST_LEFT_OUT * repeats:
        print(
            f"Bias and coverage are of the other {len(found)} repeats only, which are not typical: "
            "their votes determine a rating.",
            file=sys.stderr,
        )
    return found


def _rows(
    votes: Votes, rated: NDArray[np.intp], strength: Floats, found: list[Beliefs], options: FitOptions
) -> tuple[list[dict[str, object]], float]:
    """One row for each contestant, and the share of pair intervals that cover, over contestants and repeats."""
    values = np.array([one.mean[rated] * one.nat for one in found])
    values = values - np.nanmean(values, axis=1, keepdims=True)
    covers = np.array([_covers(one, rated, strength, options.level) for one in found])
    errors = (values - strength) * ELO_PER_NAT
    off = ~np.eye(len(rated), dtype=bool)
    rows: list[dict[str, object]] = [
        {
            "contestant": votes.contestants[code],
            "truth": float(options.initial + ELO_PER_NAT * strength[at]),
            "bias": float(np.nanmean(errors[:, at])),
            "rmse": float(np.sqrt(np.nanmean(errors[:, at] ** 2))),
            "coverage": float(covers[:, at, off[at]].mean()) if len(rated) > 1 else None,
            "repeats": len(found),
        }
        for at, code in enumerate(rated.tolist())
    ]
    return sorted(rows, key=lambda row: -float(str(row["truth"]))), float(covers[:, off].mean())


def _covers(one: Beliefs, rated: NDArray[np.intp], strength: Floats, level: float) -> NDArray[np.bool_]:
    """(m, m) whether the interval of each pair's difference holds the true one."""
    mean, sds = one.mean[rated] * one.nat, difference_sd(one.covariance[np.ix_(rated, rated)]) * one.nat
    gap = np.abs((mean[:, None] - mean) - (strength[:, None] - strength))
    return np.asarray(gap <= student.quantile(0.5 + level / 2, one.dof) * sds)
