"""`python -m rating order`: what another order of the same votes would have done."""

import math
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rating.beliefs import elo_system, trueskill_system
from rating.cli_fit import fit_options, say, votes_of
from rating.errors import StateError
from rating.fitting import FitOptions, beliefs
from rating.graph import vote_state
from rating.order import order_study
from rating.printing import print_rows
from rating.progress import shown
from rating.system import Estimate, RatingSystem, State
from rating.votes import Votes


@dataclass(frozen=True)
class WholeFit:
    """A fit to all votes at once, asked in the way of the systems that take them one by one."""

    options: FitOptions
    order_check: int = 0

    @property
    def metric(self) -> str:
        """The system's name."""
        return self.options.system

    @property
    def methodology(self) -> str:
        """The same: such a state is never kept."""
        return self.metric

    def start(self) -> State:
        """No values yet."""
        return {"values": {}}

    def fold(self, state: State, votes: Votes) -> State:
        """The values after a fit to these votes alone."""
        found = beliefs(votes, self.options)
        return {"values": dict(zip(found.contestants, found.mean.tolist(), strict=True))}

    def standings(self, state: State) -> dict[str, Estimate]:
        """The values of those that were rated."""
        return {name: Estimate(value) for name, value in state["values"].items() if math.isfinite(value)}


SEQUENTIAL: dict[str, Callable[[FitOptions], RatingSystem]] = {"elo": elo_system, "trueskill": trueskill_system}


def run(options: Namespace) -> int:
    """Print value, mean and sd over the orders, and ranks. StateError where the votes determine no rating."""
    with shown() as report:
        votes = votes_of(options, report)
    chosen = fit_options(options, votes)
    state = vote_state(votes)
    if state.name not in ("ok", "separated"):
        raise StateError(state.message)
    say(state)
    system = SEQUENTIAL.get(options.system, WholeFit)(chosen)
    with shown() as report:
        values = system.standings(system.fold(system.start(), votes))
        study = order_study(
            system,
            votes,
            rng=np.random.default_rng(options.seed),
            permutations=options.permutations,
            progress=lambda done: report("rating in other orders", done, options.permutations),
        )
    rows: list[dict[str, object]] = [
        {
            "contestant": name,
            "value": values[name].value,
            "order_mean": float(study.mean[at]),
            "order_sd": float(study.sd[at]),
            "rank_low": int(study.low[at]),
            "rank_high": int(study.high[at]),
            "first": float(study.first[at]),
        }
        for at, name in enumerate(study.contestants)
    ]
    rows.sort(key=lambda row: -float(str(row["value"])))
    print_rows(rows, options.format, sys.stdout, title=f"{options.system} in {study.permutations} random orders")
    if options.format == "table":
        print(f"two orders agree by Kendall's tau {study.kendall:.3f} on average")
    return 0
