"""The vote log as a board reads it: which votes, in which order, and a hash that names them all."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from hashlib import sha256

import numpy as np
from django.db.models import Count, Max, Min

from arena.gallery.models import Contestant
from arena.leaderboard.archive import POLLS, POPULATIONS, UNREADABLE, Piece, joined, read_duels, read_piece
from arena.leaderboard.cuts import Cut, cut_of
from arena.votes.models import Vote, VoteExclusion
from rating.errors import RatingError
from rating.outcomes import Outcome, format_outcome, parse_outcome
from rating.votes import KINDS, Votes


class ReplayError(Exception):
    """A vote of the log that makes no comparison; the text names the vote and the remedy."""


@dataclass(frozen=True)
class Slice:
    """Which votes a board counts: those of one poll kind (empty: of all polls), of one population, and of one cut."""

    poll: str = ""
    population: str = "people"
    cut: str = ""

    def filters(self) -> dict[str, str]:
        """The filter on Vote of poll and population."""
        chosen = {"ticket__voter__population": self.population}
        return chosen | ({"ticket__matchup__poll__kind": self.poll} if self.poll else {})

    @cached_property
    def conditions(self) -> Cut:
        """The cut, looked up once. Raises UnknownBoardError."""
        return cut_of(self.cut)

    def of(self, piece: Piece) -> Piece:
        """The votes of the slice among these."""
        chosen = piece.population == POPULATIONS.index(self.population)
        if self.poll:
            chosen &= piece.poll == POLLS.index(self.poll)
        cut = self.conditions
        if cut.prompts is not None:
            chosen &= np.isin(piece.prompt, list(cut.prompts))
        if cut.contestants is not None:
            chosen &= (np.isin(piece.seats, list(cut.contestants)) | (piece.seats == 0)).all(axis=1)
        return piece.take(chosen)


@dataclass(frozen=True)
class Portion:
    """A piece of the log: its votes on the board, the last number looked at, and whether the log ends there.

    `excluded` are the numbers of the votes of the slice that were left out.
    """

    votes: Piece
    through: int
    last: bool
    excluded: tuple[int, ...] = ()


@dataclass(frozen=True)
class Exclusions:
    """How many votes are taken off all boards, and the last row that says so: equal ones mean that nothing changed."""

    count: int
    last: int

    @staticmethod
    def now() -> "Exclusions":
        """As they are."""
        found = VoteExclusion.objects.aggregate(count=Count("pk"), last=Max("pk"))
        return Exclusions(found["count"], found["last"] or 0)

    def unchanged_through(self, number: int, now: "Exclusions") -> bool:
        """Whether rows were only added since, and only for votes after `number`."""
        if self == now:
            return True
        new = VoteExclusion.objects.filter(pk__gt=self.last, pk__lte=now.last)
        found = new.aggregate(count=Count("pk"), first=Min("vote__number"))
        return self.count + found["count"] == now.count and (found["first"] or 0) > number


def excluded_numbers(chosen: Slice, after: int = 0, until: int | None = None) -> list[int]:
    """The votes after `after`, up to `until`, taken off the boards, of all cuts, in order.

    To be read before the votes: then none of those is missed.
    """
    votes = Vote.objects.filter(**chosen.filters(), exclusion__isnull=False, number__gt=after).order_by("number")
    if until is not None:
        votes = votes.filter(number__lte=until)
    return list(votes.values_list("number", flat=True))


def unverified_count(chosen: Slice, through: int) -> int:
    """How many of the votes taken off are only under suspicion, among the first `through`."""
    suspected = VoteExclusion.State.UNVERIFIED
    votes = Vote.objects.filter(**chosen.filters(), number__lte=through, exclusion__state=suspected)
    cut = chosen.conditions
    if cut.prompts is not None:
        votes = votes.filter(ticket__matchup__prompt__in=cut.prompts)
    if cut.contestants is not None:
        votes = votes.exclude(ticket__matchup__seats__sample__contestant__in=_others(cut.contestants))
    return votes.count()


def _others(contestants: Iterable[int]) -> list[int]:
    return list(Contestant.objects.exclude(pk__in=contestants).values_list("pk", flat=True))


def excluded_hash(excluded: Iterable[int], through: int, before: str = "") -> str:
    """The chain `before` taken on by the excluded votes among the first `through`; empty for none."""
    for number in excluded:
        if number <= through:
            before = sha256(f"{before},{number}".encode()).hexdigest()
    return before


def read_votes(chosen: Slice, after: int, leave_out: Sequence[int] = (), *, archived: bool = True) -> Portion:
    """The next votes of the slice after number `after`, without those in `leave_out`.

    `through` is the end of a portion of the log, or the slice's last vote: the same for whoever reads the same log.
    Raises ReplayError for an outcome that cannot be read.
    """
    piece, full = read_piece(after, archived=archived)
    own = chosen.of(piece)
    out = np.isin(own.number, np.array(leave_out, np.int64))
    kept = own.take(~out)
    if (kept.kinds == UNREADABLE).any():
        raise unreadable(int(kept.number[np.argmax(kept.kinds == UNREADABLE)]))
    through = int(piece.number[-1]) if full else int(own.number[-1]) if len(own) else after
    return Portion(kept, through, not full, tuple(own.number[out].tolist()))


def unreadable(number: int) -> ReplayError:
    """What is wrong with a vote, with its place in the log and the remedy."""
    vote = Vote.objects.select_related("ticket__matchup").get(number=number)
    contestants = list(vote.ticket.matchup.seats.values_list("sample__contestant", flat=True))
    reason = "a contestant is seated twice"
    try:
        parse_outcome(vote.outcome, len(contestants))
    except RatingError as error:
        reason = str(error)
    return ReplayError(f"vote {number} cannot be rated: {reason}. Take it off the boards with a VoteExclusion.")


def counted_votes(
    chosen: Slice,
    through: int | None = None,
    *,
    after: int = 0,
    leave_out: Sequence[int] | None = None,
    archived: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Votes:
    """All counted votes of the slice after number `after`, up to number `through`, in the order of the log; names are
    keys as text.

    `progress` is called with the last number read.
    """
    excluded = excluded_numbers(chosen, after) if leave_out is None else leave_out
    pieces, portion = [], Portion(joined([]), after, False)
    while not portion.last and (through is None or portion.through < through):
        portion = read_votes(chosen, portion.through, excluded, archived=archived)
        pieces.append(portion.votes)
        if progress:
            progress(portion.through)
    whole = joined(pieces)
    return (whole if through is None else whole.take(whole.number <= through)).counted()


def direct_duels(chosen: Slice, one: int, other: int, through: int) -> Votes:
    """The counted votes of the slice on two contestants alone, up to number `through`."""
    piece = chosen.of(read_duels(one, other, through))
    off = VoteExclusion.objects.filter(vote__number__in=piece.number.tolist()).values_list("vote__number", flat=True)
    return piece.take(~np.isin(piece.number, list(off))).counted()


def chained_hash(log_sha256: str, votes: Piece) -> str:
    """The chain taken on by `votes`: each link hashes the last one and one line. Contestants go by their content."""
    names = content_names(np.unique(votes.seats).tolist())
    numbers, polls, kinds = votes.number.tolist(), votes.poll.tolist(), votes.kinds.tolist()
    for number, poll, seats, kind, ranks in zip(
        numbers, polls, votes.seats.tolist(), kinds, votes.ranks.tolist(), strict=True
    ):
        seated = "|".join([names[key] for key in seats if key])
        line = f"{log_sha256}\n{number},{POLLS[poll]},{seated},{_text(kind, *ranks)}"
        log_sha256 = sha256(line.encode()).hexdigest()
    return log_sha256


@lru_cache(maxsize=4096)
def _text(kind: int, *ranks: int) -> str:
    return format_outcome(Outcome(KINDS[kind], tuple(rank for rank in ranks if rank >= 0)))


def content_names(keys: Iterable[int]) -> dict[int, str]:
    """Hash of the checkpoint and of the recipe by contestant."""
    found = Contestant.objects.filter(pk__in=list(keys)).values_list("pk", "checkpoint__sha256", "recipe_sha256")
    return {pk: f"{checkpoint}/{recipe}" for pk, checkpoint, recipe in found}


def cut_off(portion: Portion, through: int, after: int) -> Portion:
    """What reading after number `after` would have given when vote `through` was the last of the log."""
    if portion.through <= through:
        return portion
    excluded = tuple(number for number in portion.excluded if number <= through)
    kept = portion.votes.take(portion.votes.number <= through)
    last = max([after, *excluded, *kept.number[-1:].tolist()])
    return replace(portion, votes=kept, through=last, last=True, excluded=excluded)
