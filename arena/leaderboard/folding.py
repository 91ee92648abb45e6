"""What a portion of the log makes of a board, computed only: `replay` stores it (docs/boards.md)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from arena.leaderboard.log import Portion, ReplayError, Slice, chained_hash, counted_votes, excluded_hash
from arena.leaderboard.models import RatingRun, Standing
from rating.beliefs import ELO_PER_NAT
from rating.errors import RatingError
from rating.onward import Onward
from rating.order import milestone, order_sd
from rating.registry import rating_system
from rating.settling import METHOD, settle
from rating.system import Estimate, RatingSystem, State
from rating.tally import Tally, count, join
from rating.votes import BAD, SKIP, Votes

ORDER_SEED = 0


@dataclass(frozen=True)
class Folded:
    """What is known after a part of the log; kept as JSON in `RatingRun.state`. Contestants go by their row number.

    `sides` counts, by poll, how often each seat was alone in first place.
    """

    system: State
    tallies: dict[str, list[int]] = field(default_factory=dict)
    groups: list[list[str]] = field(default_factory=list)
    sides: dict[str, list[int]] = field(default_factory=dict)
    bad: int = 0
    skipped: int = 0
    excluded: int = 0
    order_votes: int = 0
    order_sd: dict[str, float] = field(default_factory=dict)

    def tally(self) -> dict[str, Tally]:
        """Wins, losses and draws by contestant."""
        return {key: Tally(*counts) for key, counts in self.tallies.items()}

    @property
    def decided(self) -> bool:
        """Whether any vote put one contestant before another."""
        return any(wins or losses for wins, losses, _ in self.tallies.values())

    @property
    def comparable(self) -> bool:
        """Whether ratings mean anything: one connected group of contestants, and not only draws."""
        return len(self.groups) == 1 and self.decided


def folded(run: RatingRun) -> Folded:
    """The state of a run."""
    return Folded(**run.state)


def methodology(system: RatingSystem) -> str:
    """Version and constants of the values and of their intervals."""
    return f"{system.methodology} {METHOD} by voter"


def begin(system: RatingSystem, chosen: Slice) -> RatingRun:
    """The run before the first vote, unsaved."""
    return RatingRun(
        metric=system.metric,
        poll=chosen.poll,
        population=chosen.population,
        cut=chosen.cut,
        methodology=methodology(system),
        state=asdict(Folded(system.start())),
    )


def fold_portion(
    system: RatingSystem,
    chosen: Slice,
    base: RatingRun,
    portion: Portion,
    excluded: Sequence[int],
    *,
    archived: bool = True,
) -> RatingRun:
    """The run after the portion; `excluded` are the votes after `base` that count nowhere, on any cut."""
    before, kinds = folded(base), portion.votes.kinds
    played = portion.votes.counted()
    try:
        state = system.fold(before.system, played)
    except RatingError as error:
        raise ReplayError(f"votes {base.through + 1} to {portion.through} cannot be rated: {error}") from error
    run = begin(system, chosen)
    run.through, run.counted = portion.through, base.counted + len(played)
    run.excluded = excluded_hash(excluded, portion.through, base.excluded)
    run.log_sha256 = chained_hash(base.log_sha256, portion.votes)
    run.settled = base.settled
    tallies = count(before.tally(), played)
    after = Folded(
        system=state,
        tallies={key: [one.wins, one.losses, one.draws] for key, one in tallies.items()},
        groups=join(before.groups, played),
        sides=sides(before.sides, played),
        bad=before.bad + int((kinds == BAD).sum()),
        skipped=before.skipped + int((kinds == SKIP).sum()),
        excluded=before.excluded + len(portion.excluded),
        order_votes=before.order_votes,
        order_sd=before.order_sd,
    )
    run.state = asdict(after)
    votes = milestone(min(run.counted, system.order_check))
    if votes != before.order_votes:
        first = counted_votes(chosen, portion.through, archived=archived).take(np.arange(votes))
        run.state |= {
            "order_votes": votes,
            "order_sd": order_sd(system, first, rng=np.random.default_rng(ORDER_SEED)),
        }
    return run


def sides(before: dict[str, list[int]], votes: Votes) -> dict[str, list[int]]:
    """The counts of sole first places by seat with those of the votes added."""
    first = votes.ranks == 0
    alone = first.sum(axis=1) == 1
    after = {poll: list(seats) for poll, seats in before.items()}
    for code in np.unique(votes.poll[alone]).tolist():
        chosen = alone & (votes.poll == code)
        width = int((votes.seats[chosen] >= 0).sum(axis=1).max())
        found = first[chosen][:, :width].sum(axis=0).tolist()
        known = after.get(votes.polls[code], [0] * width)
        after[votes.polls[code]] = [one + other for one, other in zip(known, found, strict=True)]
    return after


def is_settled(run: RatingRun) -> bool:
    """Whether the intervals are those of all votes of the run; of a run without numbers there are none."""
    return not run.counted or run.settled.get("log_sha256") == run.log_sha256


def settle_run(run: RatingRun, votes: Votes) -> dict[str, Any]:
    """The intervals and rank ranges of a run out of its counted votes, for `RatingRun.settled`."""
    system = rating_system(run.metric)
    place = {"log_sha256": run.log_sha256, "through": run.through, "counted": run.counted}
    return place | asdict(settle(system, folded(run).system, votes))


def carried_on(settled: dict[str, Any], votes: Votes) -> dict[str, Any]:
    """The settlement with what votes cast since do to its values, where it is it that has them."""
    if not settled.get("onward") or not len(votes):
        return settled
    return settled | {"onward": Onward.from_state(settled["onward"]).with_votes(votes).as_state()}


def at_rest(settled: dict[str, Any]) -> dict[str, Any]:
    """The settlement without what `carried_on` added."""
    if not settled.get("onward"):
        return settled
    return settled | {"onward": Onward.from_state(settled["onward"]).at_rest().as_state()}


def standings(run: RatingRun) -> list[Standing]:
    """The rows of a run, out of what it holds alone, best first; without ranks where the votes do not allow any."""
    state = folded(run)
    system, settled = rating_system(run.metric), run.settled.get("rows", {})
    most = 100.0 if run.metric == "winrate" else None
    estimates = system.standings(state.system) if state.comparable else {}
    if state.comparable and run.settled.get("onward"):
        moves = Onward.from_state(run.settled["onward"]).moves()
        estimates = {key: Estimate(row["value"] + ELO_PER_NAT * moves[key]) for key, row in settled.items()}
    rows = []
    for key, tally in state.tally().items():
        counts = {"votes": tally.votes, "wins": tally.wins, "losses": tally.losses, "draws": tally.draws}
        numbers = _numbers(estimates[key], settled.get(key), most) if key in estimates else {}
        rows.append(Standing(rating_run_id=run.pk, contestant_id=int(key), **numbers, **counts))
    return sorted(rows, key=lambda row: (row.value is None, -(row.value or 0.0), row.contestant_id))


def _numbers(estimate: Estimate, settled: dict[str, Any] | None, most: float | None) -> dict[str, Any]:
    """The values, with interval and ranks around them once they are known; a share stays between 0 and `most`."""
    numbers = {name: getattr(estimate, name) for name in ("value", "mu", "sigma", "average")}
    if settled is None:
        return numbers
    middle = estimate.value if estimate.mu is None else estimate.mu
    low, high = middle - settled["reach"], middle + settled["reach"]
    return numbers | {
        "low": low if most is None else max(low, 0.0),
        "high": high if most is None else min(high, most),
        "rank": settled["rank"],
        "rank_high": settled["rank_high"],
        "best_probability": settled["best"],
    }
