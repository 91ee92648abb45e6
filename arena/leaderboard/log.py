"""The vote log as a board reads it: which votes, in which order, and a hash that names them all."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from arena.gallery.models import Contestant
from arena.polls.models import Seat
from arena.votes.models import Vote, VoteExclusion
from rating.errors import RatingError
from rating.game import Game
from rating.outcomes import Outcome, parse_outcome

# Votes read, and folded, between two writes: a long replay is kept as it goes, and others can go on from there.
PORTION = 2000
COLUMNS = (
    "number",
    "created_at",
    "outcome",
    "ticket__voter_id",
    "ticket__matchup_id",
    "ticket__matchup__prompt_id",
    "ticket__matchup__poll__kind",
)


class ReplayError(Exception):
    """A vote of the log that makes no comparison; the text names the vote and the remedy."""


@dataclass(frozen=True)
class Slice:
    """Which votes a board counts: those of one poll kind (empty: of all polls) and of one population."""

    poll: str
    population: str

    def filters(self) -> dict[str, str]:
        """The filter on Vote."""
        chosen = {"ticket__voter__population": self.population}
        return chosen | ({"ticket__matchup__poll__kind": self.poll} if self.poll else {})


@dataclass(frozen=True)
class LoggedVote:
    """One vote. `seats` are the contestants' keys in the order shown, `outcome` what it says about them.

    `voter` and `prompt` are keys too.
    """

    number: int
    created_at: datetime
    poll: str
    prompt: str
    voter: str
    seats: tuple[str, ...]
    text: str
    outcome: Outcome

    def game(self) -> Game:
        """Its comparison, for an outcome that counts. Raises ReplayError naming the vote."""
        try:
            return Game(self.seats, self.outcome, self.poll, self.created_at.timestamp(), self.voter, self.prompt)
        except RatingError as error:
            raise refused(self.number, error) from error


@dataclass(frozen=True)
class Portion:
    """A piece of the log: its votes, the number of its last one, and whether it was the last piece."""

    votes: list[LoggedVote]
    through: int
    last: bool


def refused(number: int, error: RatingError) -> ReplayError:
    """The error with its place in the log and the remedy."""
    return ReplayError(f"vote {number} cannot be rated: {error}. Take it off the boards with a VoteExclusion.")


def excluded_numbers(chosen: Slice) -> list[int]:
    """The votes taken off the boards, in order. To be read before the votes: then none of those is missed."""
    votes = Vote.objects.filter(**chosen.filters(), exclusion__isnull=False).order_by("number")
    return list(votes.values_list("number", flat=True))


def unverified_count(chosen: Slice, through: int) -> int:
    """How many of the votes taken off are only under suspicion, among the first `through`."""
    suspected = VoteExclusion.State.UNVERIFIED
    return Vote.objects.filter(**chosen.filters(), number__lte=through, exclusion__state=suspected).count()


def excluded_hash(excluded: Iterable[int], through: int) -> str:
    """Names the set of excluded votes among the first `through`; empty for none."""
    numbers = [str(number) for number in excluded if number <= through]
    return sha256(",".join(numbers).encode()).hexdigest() if numbers else ""


def read_votes(chosen: Slice, after: int, leave_out: Iterable[int] = ()) -> Portion:
    """The next portion of the log after vote `after`, in two queries; votes in `leave_out` are passed over unread.

    Raises ReplayError for an outcome that cannot be read.
    """
    votes = Vote.objects.filter(**chosen.filters(), number__gt=after).order_by("number")
    rows = list(votes.values_list(*COLUMNS, named=True)[:PORTION])
    seats = _seats([row.ticket__matchup_id for row in rows])
    left_out = set(leave_out)
    kept = [_logged(row, seats[row.ticket__matchup_id]) for row in rows if row.number not in left_out]
    return Portion(kept, through=rows[-1].number if rows else after, last=len(rows) < PORTION)


def games(chosen: Slice, leave_out: Sequence[int]) -> Iterator[Game]:
    """Every counted comparison of the log, from its beginning."""
    portion = Portion([], through=0, last=False)
    while not portion.last:
        portion = read_votes(chosen, portion.through, leave_out)
        yield from (vote.game() for vote in portion.votes if vote.outcome.counts)


def chained_hash(log_sha256: str, votes: Sequence[LoggedVote]) -> str:
    """The chain taken on by `votes`: each link hashes the last one and one line. Contestants go by their content."""
    names = _content_names({key for vote in votes for key in vote.seats})
    for vote in votes:
        seats = "|".join(names[key] for key in vote.seats)
        log_sha256 = sha256(f"{log_sha256}\n{vote.number},{vote.poll},{seats},{vote.text}".encode()).hexdigest()
    return log_sha256


def _logged(row: Any, seats: list[str]) -> LoggedVote:
    try:
        outcome = parse_outcome(row.outcome, len(seats))
    except RatingError as error:
        raise refused(row.number, error) from error
    return LoggedVote(
        number=row.number,
        created_at=row.created_at,
        poll=row.ticket__matchup__poll__kind,
        prompt=str(row.ticket__matchup__prompt_id),
        voter=str(row.ticket__voter_id),
        seats=tuple(seats),
        text=row.outcome,
        outcome=outcome,
    )


def _seats(matchups: list[int]) -> dict[int, list[str]]:
    seats: dict[int, list[str]] = {matchup: [] for matchup in matchups}
    shown = Seat.objects.filter(matchup__in=matchups).order_by("matchup_id", "position")
    for matchup, contestant in shown.values_list("matchup_id", "sample__contestant_id"):
        seats[matchup].append(str(contestant))
    return seats


def _content_names(keys: set[str]) -> dict[str, str]:
    found = Contestant.objects.filter(pk__in=keys).values_list("pk", "checkpoint__sha256", "recipe_sha256")
    return {str(pk): f"{checkpoint}/{recipe}" for pk, checkpoint, recipe in found}
