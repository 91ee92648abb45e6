"""The rows of a board, made in one place for the page, the command and the API (docs/boards.md)."""

from dataclasses import dataclass
from datetime import datetime
from math import hypot
from statistics import fmean

from django.utils import timezone
from django.utils.translation import gettext as _

from arena.gallery.models import Contestant
from arena.leaderboard.log import Slice, unverified_count
from arena.leaderboard.models import RatingRun, Standing
from arena.leaderboard.replay import Folded, folded, refresh, standings
from arena.polls.models import Enrolment, Poll
from arena.votes.models import Voter
from rating.registry import SYSTEMS
from rating.tally import PROVISIONAL_VOTES

INTERVAL_SIGMAS = 1.96


class UnknownBoardError(ValueError):
    """A metric, poll or population that does not exist; the text lists the known ones."""


@dataclass(frozen=True)
class Head:
    """What a board says about itself.

    `state` is "ok", "no-votes", "disconnected" or "all-draws"; in any but the first, rows carry no numbers, and
    `message` says why. `counted`, `bad`, `skipped`, `excluded` and `unverified` are votes; `log_sha256` names all but
    the last two.
    `order_sd` is how far, on average over contestants, another order of the first `order_votes` votes would move a
    value; None where the metric is not checked for it.
    """

    metric: str
    poll: str | None
    population: str
    methodology: str
    state: str
    message: str
    counted: int
    bad: int
    skipped: int
    excluded: int
    unverified: int
    log_sha256: str
    order_votes: int
    order_sd: float | None
    generated_at: datetime


@dataclass(frozen=True)
class Row:
    """One contestant. Rank and numbers are None where the board has no votes or no comparable ones about it.

    `checkpoint` is the first 12 digits of its content hash. `change` is what it gained on the latest earlier epoch of
    its run, `previous_epoch`, in mu (TrueSkill) or in value, give or take `change_error` (95 %, TrueSkill only).
    `average` is the time-weighted average of an Elo rating, `order_sd` how far another order of the votes would move
    the value.
    """

    rank: int | None
    contestant: str
    contestant_id: int
    run: str
    epoch: int
    checkpoint: str
    value: float | None
    low: float | None
    high: float | None
    mu: float | None
    sigma: float | None
    average: float | None
    order_sd: float | None
    previous_epoch: int | None
    change: float | None
    change_error: float | None
    votes: int
    wins: int
    losses: int
    draws: int
    provisional: bool


@dataclass(frozen=True)
class Board:
    """A head and its rows, best first; contestants without votes at the end."""

    head: Head
    rows: list[Row]


def board(
    metric: str, poll_kind: str | None = None, population: str = "people", *, now: datetime | None = None
) -> Board:
    """The board of a metric for one poll kind (None: all polls together), with every vote cast until now.

    Raises UnknownBoardError for names that do not exist, and ReplayError for a vote that cannot be rated.
    """
    _check_known("metric", metric, list(SYSTEMS))
    _check_known("population", population, Voter.Population.values)
    if poll_kind is not None:
        _check_known("poll", poll_kind, Poll.Kind.values)
    run = refresh(metric, poll_kind or "", population)
    return Board(_head(run, now or timezone.now()), _rows(run, poll_kind))


def _check_known(what: str, name: str, known: list[str]) -> None:
    if name not in known:
        raise UnknownBoardError(f"there is no {what} {name!r}; known: {', '.join(known)}")


def _head(run: RatingRun, now: datetime) -> Head:
    fold = folded(run)
    state, message = _state(run, fold)
    unverified = unverified_count(Slice(run.poll, run.population), run.through) if fold.excluded else 0
    return Head(
        metric=run.metric,
        poll=run.poll or None,
        population=run.population,
        methodology=run.methodology,
        state=state,
        message=message,
        counted=run.counted,
        bad=fold.bad,
        skipped=fold.skipped,
        excluded=fold.excluded - unverified,
        unverified=unverified,
        log_sha256=run.log_sha256,
        order_votes=fold.order_votes,
        order_sd=fmean(fold.order_sd.values()) if fold.order_sd and state == "ok" else None,
        generated_at=now,
    )


def _state(run: RatingRun, fold: Folded) -> tuple[str, str]:
    if not run.counted:
        return "no-votes", _("No votes yet: the first one opens this board.")
    if not fold.decided:
        return "all-draws", _("All %(n)d votes so far are draws: nothing tells the contestants apart.") % {
            "n": run.counted
        }
    if not fold.comparable:
        sizes = [str(len(group)) for group in fold.groups]
        parts = _("%(first)s and %(last)s") % {"first": ", ".join(sizes[:-1]), "last": sizes[-1]}
        text = _(
            "The votes fall into %(n)d groups of %(parts)s contestants that never met, so no rating compares them. "
            "More votes will join the groups."
        )
        return "disconnected", text % {"n": len(sizes), "parts": parts}
    return "ok", ""


def _rows(run: RatingRun, poll_kind: str | None) -> list[Row]:
    placed = standings(run)
    keys = [standing.contestant_id for standing in placed]
    enrolled = Enrolment.objects.filter(withdrawn_at=None, **({"poll__kind": poll_kind} if poll_kind else {}))
    waiting = sorted(set(enrolled.values_list("contestant_id", flat=True)) - set(keys))
    contestants = Contestant.objects.select_related("checkpoint__run").in_bulk([*keys, *waiting])
    order_sd = folded(run).order_sd
    rated = [(standing, contestants[standing.contestant_id]) for standing in placed]
    unvoted = [(Standing(contestant_id=key), contestants[key]) for key in waiting]
    return [_row(standing, contestant, rated, order_sd) for standing, contestant in rated + unvoted]


def _row(
    standing: Standing, contestant: Contestant, rated: list[tuple[Standing, Contestant]], order_sd: dict[str, float]
) -> Row:
    checkpoint = contestant.checkpoint
    previous_epoch, change, change_error = _change(standing, contestant, rated)
    return Row(
        rank=standing.rank,
        contestant=str(contestant),
        contestant_id=contestant.pk,
        run=checkpoint.run.name,
        epoch=checkpoint.epoch,
        checkpoint=checkpoint.sha256[:12],
        value=standing.value,
        low=standing.low,
        high=standing.high,
        mu=standing.mu,
        sigma=standing.sigma,
        average=standing.average,
        order_sd=order_sd.get(str(contestant.pk)) if standing.rank else None,
        previous_epoch=previous_epoch,
        change=change,
        change_error=change_error,
        votes=standing.votes,
        wins=standing.wins,
        losses=standing.losses,
        draws=standing.draws,
        provisional=standing.votes < PROVISIONAL_VOTES,
    )


def _change(
    standing: Standing, contestant: Contestant, rated: list[tuple[Standing, Contestant]]
) -> tuple[int | None, float | None, float | None]:
    """(previous epoch, change since, 95 % error) against the latest earlier epoch with the same recipe."""
    earlier = [
        (other.checkpoint.epoch, row)
        for row, other in rated
        if other.checkpoint.run_id == contestant.checkpoint.run_id
        and other.recipe_sha256 == contestant.recipe_sha256
        and other.checkpoint.epoch < contestant.checkpoint.epoch
        and row.rank
    ]
    if not earlier or not standing.rank:
        return None, None, None
    epoch, before = max(earlier, key=lambda pair: pair[0])
    if standing.mu is None or standing.sigma is None:
        return epoch, standing.value - before.value, None
    return epoch, standing.mu - before.mu, INTERVAL_SIGMAS * hypot(standing.sigma, before.sigma)
