"""Whether the stored boards are what the log says: it is replayed and compared bit for bit, nothing is written."""

import json
from collections.abc import Iterable, Iterator

from django.db.models import Sum

from arena.leaderboard.folding import methodology, standings
from arena.leaderboard.log import Slice, excluded_hash, excluded_numbers
from arena.leaderboard.models import RatingRun, Standing
from arena.leaderboard.replay import ROW, is_current, replayed
from arena.polls.models import Seat
from arena.votes.models import VoteLog
from rating.registry import SYSTEMS, rating_system

COMPARED = ("through", "counted", "log_sha256", "state")
LOOKS = 3


def standings_are_the_replay() -> Iterator[str]:
    """Every stored board whose votes are still excluded as they were equals the replay of the log up to its place."""
    for run in RatingRun.objects.order_by("pk"):
        if run.metric in SYSTEMS:
            yield from compare(run)


def compare(run: RatingRun) -> Iterator[str]:
    """What differs between a board and its replay; a board that moves meanwhile is looked at again."""
    for _ in range(LOOKS):
        found = list(differences(run))
        place = (run.through, run.excluded)
        run.refresh_from_db()
        if not found or (run.through, run.excluded) == place:
            break
    yield from found


def differences(run: RatingRun) -> Iterator[str]:
    """Of the state, and of the rows."""
    chosen = Slice(run.poll, run.population, run.cut)
    excluded = excluded_numbers(chosen)
    stored = rows_of(Standing.objects.filter(rating_run=run))
    if stored != rows_of(standings(run)):
        yield f"board {run}: the standings are not those of its state"
    if run.methodology != methodology(rating_system(run.metric)) or run.excluded != excluded_hash(
        excluded, run.through
    ):
        return  # Votes or method changed since: the next look at the board folds it anew.
    again = replayed(run.metric, chosen, run.through, archived=False)
    names = [*COMPARED, "settled"] if is_current(run) else COMPARED
    for name in names:
        if getattr(run, name) != json.loads(json.dumps(getattr(again, name))):
            yield f"board {run}: {name} is not what the replay of {run.through} votes gives"


def rows_of(rows: Iterable[Standing]) -> list[tuple[object, ...]]:
    """The rows' numbers, by contestant."""
    return sorted((row.contestant_id, *(getattr(row, name) for name in ROW)) for row in rows)


def standings_have_their_votes() -> Iterator[str]:
    """No board is ahead of the log, and no contestant has more votes on a board than it took seats."""
    length = VoteLog.objects.aggregate(length=Sum("length"))["length"] or 0
    for run in RatingRun.objects.filter(through__gt=length):
        yield f"board {run} has folded {run.through} votes, the log has {length}"
    for standing in Standing.objects.select_related("rating_run"):
        run = standing.rating_run
        seats = Seat.objects.filter(
            sample__contestant=standing.contestant_id,
            matchup__tickets__vote__number__lte=run.through,
            matchup__tickets__voter__population=run.population,
        )
        seats = seats.filter(matchup__poll__kind=run.poll) if run.poll else seats
        taken = seats.count()
        if standing.votes > taken:
            who = f"board {run}: contestant {standing.contestant_id}"
            yield f"{who} has {standing.votes} votes, and took {taken} seats in votes"
