"""What a board says about itself: how many votes, whether they compare everybody, how sure it is (docs/boards.md)."""

from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from statistics import fmean

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from arena.leaderboard.folding import Folded, folded
from arena.leaderboard.log import Slice, unverified_count
from arena.leaderboard.models import RatingRun
from arena.leaderboard.replay import log_length

NORMAL = 1.96


@dataclass(frozen=True)
class SeatShare:
    """How often each seat of a poll was alone in first place: `wins` by seat, out of `votes`.

    `share` is that of the first seat, with its 95 % interval `low` to `high` (Wilson 1927); an even one is 1 / seats.
    """

    poll: str
    wins: list[int]
    votes: int
    share: float
    low: float
    high: float

    @property
    def seats(self) -> int:
        """How many images are shown at once."""
        return len(self.wins)

    @property
    def percent(self) -> str:
        """The share as shown, in percent."""
        return f"{100 * self.share:.0f}"

    @property
    def percent_low(self) -> str:
        """The lower end of the interval as shown."""
        return f"{100 * self.low:.0f}"

    @property
    def percent_high(self) -> str:
        """The upper end of the interval as shown."""
        return f"{100 * self.high:.0f}"

    @property
    def even(self) -> bool:
        """Whether the interval holds the share of a seat that makes no difference."""
        return self.low <= 1 / self.seats <= self.high


@dataclass(frozen=True)
class Head:
    """What a board says about itself.

    `state` is "ok", "no-votes", "disconnected", "all-draws" or "separated"; in any but the first, rows carry no
    numbers, and `message` says why. `counted`, `bad`, `skipped`, `excluded` and `unverified` are votes; `log_sha256`
    names all but the last two, up to vote `through`. `behind` votes of the log are not on it yet; `recounting` says
    that votes were taken off, or the method changed, and that the board before is shown until they are counted anew.
    `groups` are the sizes of the connected groups of contestants: one where everybody met. `decided_pairs` of all
    `pairs` are separated, at `votes_per_decided_pair`. Intervals and rank ranges are those of the first
    `settled_votes` counted votes of `voters` voters, None where there are none yet. `order_sd` is how far, on average
    over contestants, another order of the first `order_votes` votes would move a value; None where the metric is not
    checked for it. `notes` say what else the metric learned. A metric without votes (ccip) counts `images`, its hash
    names its scores, and its state may be "no-scores".
    """

    metric: str
    poll: str | None
    population: str
    cut: str
    as_of: datetime | None
    methodology: str
    state: str
    message: str
    counted: int
    bad: int
    skipped: int
    excluded: int
    unverified: int
    through: int
    behind: int
    recounting: bool
    log_sha256: str
    groups: list[int]
    position_bias: list[SeatShare]
    settled_votes: int | None
    voters: int | None
    pairs: int | None
    decided_pairs: int | None
    votes_per_decided_pair: float | None
    order_votes: int
    order_sd: float | None
    notes: list[str]
    generated_at: datetime
    images: int = 0
    lower_is_better: bool = False


def head_of(run: RatingRun, chosen: Slice, as_of: datetime | None, now: datetime) -> Head:
    """The head of a run."""
    fold, settled = folded(run), run.settled
    state, message = _state(run, fold)
    unverified = unverified_count(chosen, run.through) if fold.excluded else 0
    decided = settled.get("decided") if settled.get("rows") else None
    return Head(
        metric=run.metric,
        poll=run.poll or None,
        population=run.population,
        cut=run.cut,
        as_of=as_of,
        methodology=run.methodology,
        state=state,
        message=message,
        counted=run.counted,
        bad=fold.bad,
        skipped=fold.skipped,
        excluded=fold.excluded - unverified,
        unverified=unverified,
        through=run.through,
        behind=0 if run.complete else log_length() - run.through,
        recounting=run.pending is not None,
        log_sha256=run.log_sha256,
        groups=[len(group) for group in fold.groups],
        position_bias=[seat_share(poll, wins) for poll, wins in sorted(fold.sides.items())],
        settled_votes=settled.get("counted") if settled.get("rows") else None,
        voters=settled.get("voters"),
        pairs=settled.get("pairs") if settled.get("rows") else None,
        decided_pairs=decided,
        votes_per_decided_pair=settled["counted"] / decided if decided else None,
        order_votes=fold.order_votes,
        order_sd=fmean(fold.order_sd.values()) if fold.order_sd and state == "ok" else None,
        notes=list(settled.get("notes", [])),
        generated_at=now,
    )


def seat_share(poll: str, wins: list[int]) -> SeatShare:
    """The share of the first seat with Wilson's interval."""
    votes = sum(wins)
    share, z = wins[0] / votes, NORMAL**2 / votes
    middle, half = share + z / 2, NORMAL * sqrt(share * (1 - share) / votes + z / (4 * votes))
    return SeatShare(poll, list(wins), votes, share, (middle - half) / (1 + z), (middle + half) / (1 + z))


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
    if run.settled.get("state") == "separated":
        return "separated", _(
            "Some contestants won, or lost, every comparison with the others: the order-free likelihood puts them at "
            "no finite distance. More votes between them will, or a board with a prior (TrueSkill)."
        )
    left_out = len(run.settled.get("left_out", []))
    if left_out:
        text = ngettext(
            "%(n)d contestant won, or lost, every comparison with the others, and is left out.",
            "%(n)d contestants won, or lost, every comparison with the others, and are left out.",
            left_out,
        )
        return "ok", text % {"n": left_out}
    return "ok", ""
