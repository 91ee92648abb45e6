"""The vote log as a vote file, portion by portion, with pseudonymous voters and a data card (docs/export.md)."""

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Min

from arena.gallery.models import Contestant
from arena.leaderboard.table import slice_of
from arena.polls.models import Seat
from arena.votes.models import Vote, VoteExclusion
from rating.errors import OutcomeError
from rating.outcomes import parse_outcome
from rating.writing import encoded

SCHEMA = "illustration-arena/votes/1"
# The columns of a vote file (docs/vote-file.md), then what this arena knows besides.
MEANINGS = {
    "vote": "place in the arena's log",
    "created_at": "when it was answered, UTC",
    "poll": "kind of poll: fixed, duel or ffa",
    "prompt": "number of the prompt; the card has the text of the arena's own prompts",
    "voter": "keyed hash of the voter, of this export alone",
    "seats": "contestants in the order shown, joined by |; the card says who they are",
    "outcome": "2 is a pick, 1=2 a draw, 2>1=4>3 a ranking, bad all bad, skip no answer",
    "seed": "seed that all images of the matchup were rendered with",
    "rule": "name and version of the rule that chose the matchup",
}
NAMES = tuple(MEANINGS)
PORTION = 5000
READ = (
    "number", "created_at", "outcome", "ticket__matchup__poll__kind", "ticket__matchup__prompt_id",
    "ticket__voter_id", "ticket__matchup_id", "ticket__matchup__seed", "ticket__matchup__rule",
)  # fmt: skip
HASH_DIGITS = 16
KEY_BYTES = 32
Row = tuple[str, ...]


class ExportError(Exception):
    """A vote that no vote file can hold; the text names it and the remedy."""


@dataclass(frozen=True)
class Export:
    """What is exported: the votes of a slice up to number `through`, without those `excluded` from the boards.

    `names` are the contestants', by key, each its own. `key` makes the voters' pseudonyms and is kept nowhere, so that
    they cannot be traced back, nor to those of another export.
    """

    poll: str
    population: str
    through: int
    excluded: frozenset[int]
    names: dict[int, str]
    key: bytes
    begun_at: datetime

    def votes(self) -> Any:
        """The votes as rows of the database, in the order of the log, excluded ones included."""
        chosen = {"ticket__voter__population": self.population, "number__lte": self.through}
        if self.poll:
            chosen["ticket__matchup__poll__kind"] = self.poll
        return Vote.objects.filter(**chosen).order_by("number")

    def pseudonym(self, voter: int) -> str:
        """The voter's name in this export: an HMAC-SHA-256 of 64 bits."""
        return hmac.new(self.key, str(voter).encode(), sha256).hexdigest()[:HASH_DIGITS]


def begin(poll: str | None, population: str, *, key: bytes, now: datetime) -> Export:
    """Fix what is exported. `key` must be KEY_BYTES random bytes, new for every export. Raises UnknownBoardError."""
    slice_of(poll, population, "", None, now)
    excluded = VoteExclusion.objects.filter(vote__ticket__voter__population=population)
    excluded = excluded.filter(vote__ticket__matchup__poll__kind=poll) if poll else excluded
    # Exclusions first, as for a board: a vote that comes after is not among those exported.
    numbers = frozenset(excluded.values_list("vote__number", flat=True))
    through = Vote.objects.aggregate(last=Max("number"))["last"] or 0
    return Export(poll or "", population, through, numbers, contestant_names(), key, now)


def contestant_names() -> dict[int, str]:
    """A name for each contestant that a vote file can hold: its number in the arena, and what pages call it.

    Each is its own and stays the same in every export. They sort as the numbers' texts do, so that whatever goes by the
    order of names, such as the last bits of a tie, comes out alike.
    """
    named = ("lora_scale", "checkpoint__name", "lora__name")
    found = Contestant.objects.select_related("checkpoint", "lora").only(*named).order_by("pk")
    return {one.pk: f"{one.pk} {str(one).replace('|', '/')}".strip() for one in found}


def stream(export: Export, form: str) -> Iterator[bytes]:
    """The file, a portion of the log at a time. Raises ExportError, and VoteFileError where pyarrow is missing."""
    return encoded(form, NAMES, portions(export))


def portions(export: Export) -> Iterator[list[Row]]:
    """The rows, a portion of the log at a time: two queries and some megabytes each, however long the log is."""
    after = 0
    while votes := list(export.votes().filter(number__gt=after).values_list(*READ)[:PORTION]):
        after = votes[-1][0]
        kept = [vote for vote in votes if vote[0] not in export.excluded]
        seats = _seats(kept)
        yield [_row(export, vote, seats.get(vote[6], [])) for vote in kept]


def _row(export: Export, vote: Sequence[Any], seats: list[int]) -> Row:
    number, created_at, outcome, poll, prompt, voter, _, seed, rule = vote
    try:
        parse_outcome(outcome, len(seats))
    except OutcomeError as error:
        raise ExportError(f"vote {number}: {error}. Take it off the boards with a VoteExclusion.") from error
    shown = "|".join(export.names[key] for key in seats)
    pseudonym = export.pseudonym(voter)
    return (str(number), created_at.isoformat(), poll, str(prompt), pseudonym, shown, outcome, str(seed), rule)


def _seats(votes: list[Sequence[Any]]) -> dict[int, list[int]]:
    """The contestants of each matchup in the order shown, found by the range of vote numbers: matchups are many."""
    if not votes:
        return {}
    of_vote = "matchup__tickets__vote__number"
    within = {f"{of_vote}__gte": votes[0][0], f"{of_vote}__lte": votes[-1][0]}
    seated: dict[int, dict[int, int]] = {}
    rows = Seat.objects.filter(**within).order_by().values_list("matchup_id", "position", "sample__contestant_id")
    for matchup, position, contestant in rows:
        seated.setdefault(matchup, {})[position] = contestant
    return {matchup: [places[position] for position in sorted(places)] for matchup, places in seated.items()}


def card(export: Export) -> dict[str, Any]:
    """The data card as plain JSON values: what the votes are, whose, how many, who the contestants are."""
    everything = export.votes()
    kept = everything.filter(exclusion=None)
    outcomes = {"compared": 0, "bad": 0, "skip": 0}
    for outcome, votes in kept.order_by().values_list("outcome").annotate(votes=Count("pk")):
        outcomes[outcome if outcome in outcomes else "compared"] += votes
    by_poll = kept.order_by().values_list("ticket__matchup__poll__kind").annotate(votes=Count("pk"))
    out = VoteExclusion.objects.filter(vote__in=everything)
    facts = kept.aggregate(
        first=Min("created_at"), last=Max("created_at"), voters=Count("ticket__voter", distinct=True)
    )
    return {
        "schema": SCHEMA,
        "exported_at": export.begun_at.isoformat(timespec="seconds"),
        "population": export.population,
        "poll": export.poll or None,
        "licence": settings.ARENA_VOTES_LICENCE or None,
        "votes": kept.count(),
        "outcomes": outcomes,
        "polls": dict(by_poll),
        "voters": facts["voters"],
        "first": facts["first"] and facts["first"].isoformat(),
        "last": facts["last"] and facts["last"].isoformat(),
        "log_through": export.through,
        "left_out": {state: out.filter(state=state).count() for state in VoteExclusion.State.values},
        "columns": MEANINGS,
        "contestants": _contestants(export),
        "prompts": _prompts(kept),
    }


def _contestants(export: Export) -> list[dict[str, Any]]:
    found = Contestant.objects.select_related("checkpoint__run", "lora").defer("checkpoint__manifest").order_by("pk")
    return [
        {
            "name": export.names[one.pk],
            "checkpoint_sha256": one.checkpoint.sha256,
            "recipe_sha256": one.recipe_sha256,
            "recipe": one.recipe,
            "lora": one.lora and {"name": one.lora.name, "sha256": one.lora.sha256, "scale": one.lora_scale},
            "run": one.checkpoint.run.name,
            "epoch": one.checkpoint.epoch,
            "step": one.checkpoint.step,
            "licence": one.checkpoint.licence,
            "imported": one.checkpoint.imported,
            "attribution": one.checkpoint.attribution,
        }
        for one in found
        if one.pk in export.names
    ]


def _prompts(kept: Any) -> dict[str, str]:
    """Texts of the arena's own prompts; what volunteers typed is theirs and stays here."""
    asked = kept.filter(ticket__matchup__prompt__origin="set").order_by()
    found = asked.values_list("ticket__matchup__prompt_id", "ticket__matchup__prompt__text").distinct()
    return {str(pk): text for pk, text in sorted(found)}
