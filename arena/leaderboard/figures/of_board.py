"""Figures of what a board already holds: ratings by contestant (the paper's figures 5, 6, 8 and 9), and seats."""

from functools import partial

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from arena.leaderboard.drawing import chart
from arena.leaderboard.figures.asking import UNITS, Ask, Cell, Column, Figure, Table
from arena.leaderboard.figures.intervals import Interval, draw
from arena.leaderboard.figures.svg import spelled
from arena.leaderboard.heading import seat_share
from arena.leaderboard.table import TITLES, Board, Row, board
from arena.leaderboard.tasks import catch_up
from arena.polls.models import Poll

AXES = {
    "trueskill": gettext_lazy("estimated skill with its 95 % interval; the upright mark is the score that ranks"),
    "elo": gettext_lazy("Elo with its 95 % interval; the upright mark is the time-weighted average"),
    "elo-twa": gettext_lazy("time-weighted average of Elo with its 95 % interval"),
    "joint": gettext_lazy("strength in Elo points with its 95 % interval"),
    "winrate": gettext_lazy("percent of comparisons won with its 95 % interval"),
}


def poll_title(poll: str) -> str:
    """How a poll is called in a title."""
    return str(Poll.Kind(poll).label) if poll else _("All polls")


def board_of(ask: Ask, seconds: float | None, metric: str = "") -> Board:
    """The board, folded as far as the time allows; a worker is asked for the rest."""
    found = board(metric or ask.metric, ask.poll or None, ask.population, cut=ask.cut, seconds=seconds)
    if seconds is not None:
        catch_up(found.run)
    return found


def ratings(ask: Ask, seconds: float | None) -> Figure:
    """The ratings of a metric, best first."""
    found, digits = board_of(ask, seconds), UNITS[ask.metric]
    head, rows = found.head, found.rows
    valued = [row for row in rows if row.value is not None]
    leader = valued[0].contestant if valued else ""
    names = {"metric": TITLES[ask.metric], "poll": poll_title(ask.poll)}
    description = _("%(n)d contestants, best first. %(leader)s leads with %(value)s.") % {
        "n": len(rows), "leader": leader, "value": spelled(valued[0].value or 0.0, digits) if valued else "",
    }  # fmt: skip
    message = head.message or _("No contestant takes part yet.")
    return Figure(
        kind="ratings",
        title=_("%(metric)s · %(poll)s") % names,
        description=description if valued else message,
        draw=partial(_draw_ratings, rows, ask.metric) if valued else None,
        tables=[_ratings_table(rows, digits)],
        state="ok" if valued else (head.state if head.state != "ok" else "no-votes"),
        message="" if valued else message,
        votes=head.counted,
        behind=head.behind,
    )


def _draw_ratings(rows: list[Row], metric: str, width: float):  # type: ignore[no-untyped-def]
    return draw([_interval(row, metric) for row in rows], str(AXES[metric]), width=width)


def _interval(row: Row, metric: str) -> Interval:
    if row.value is None:
        return Interval(row.contestant, instead=_("no votes yet") if not row.votes else _("no estimate yet"))
    dot = row.value if row.mu is None else row.mu
    mark = row.value if row.mu is not None else row.average if metric == "elo" else None
    return Interval(
        row.contestant, dot, row.low, row.high, mark, spelled(row.value, UNITS[metric]), hollow=row.provisional
    )


def _ratings_table(rows: list[Row], digits: int) -> Table:
    columns = [
        Column("ranks", _("Rank")),
        Column("contestant", _("Contestant")),
        Column("run", _("Run")),
        Column("epoch", _("Epoch")),
        Column("value", _("Score"), digits),
        Column("low", _("Interval from"), digits),
        Column("high", _("Interval to"), digits),
        Column("votes", _("Votes")),
        Column("provisional", _("provisional")),
    ]
    spelt = chart(rows).entries
    cells: list[list[Cell]] = [
        [entry.ranks, row.contestant, row.run, row.epoch, row.value, row.low, row.high, row.votes, row.provisional]
        for entry, row in zip(spelt, rows, strict=True)
    ]
    return Table("ratings", _("Ratings"), columns, cells)


def seats(ask: Ask, seconds: float | None) -> Figure:
    """How often each seat of each poll won, with Wilson's interval; even seats win alike."""
    head = board_of(ask, seconds, "winrate").head
    rows: list[Interval] = []
    cells: list[list[Cell]] = []
    biased = []
    for share in head.position_bias:
        biased += [] if share.even else [poll_title(share.poll)]
        for place in range(share.seats):
            turned = [share.wins[place], *(wins for at, wins in enumerate(share.wins) if at != place)]
            own = seat_share(share.poll, turned)
            label = f"{poll_title(share.poll)}, {seat_name(place, share.seats)}"
            numbers = [100 * own.share, 100 * own.low, 100 * own.high, 100 / share.seats]
            rows.append(Interval(label, *numbers, spelled=f"{spelled(numbers[0], 1)} %"))
            cells.append([share.poll, place + 1, share.wins[place], share.votes, *numbers])
    columns = [
        Column("poll", _("Poll"), words=dict(Poll.Kind.choices)),
        Column("seat", _("Seat")),
        Column("wins", _("Wins")),
        Column("votes", _("Votes")),
        Column("percent", _("Percent"), 1),
        Column("low", _("Interval from"), 1),
        Column("high", _("Interval to"), 1),
        Column("even", _("Even would be"), 1),
    ]
    said = _("Not even: %(polls)s.") % {"polls": ", ".join(biased)} if biased else _(
        "No first seat wins more or less often than chance allows."
    )  # fmt: skip
    label = _("percent of the votes with one winner, with 95 % interval; the upright mark is even")
    message = _("No vote with one winner yet.")
    return Figure(
        kind="seats",
        title=_("Position bias · %(poll)s") % {"poll": poll_title(ask.poll)},
        description=said if rows else message,
        draw=(lambda width: draw(rows, label, width=width)) if rows else None,
        tables=[Table("seats", _("Wins by seat"), columns, cells)],
        state="ok" if rows else "no-votes",
        message="" if rows else message,
        votes=head.counted,
        behind=head.behind,
    )


def seat_name(place: int, seats: int) -> str:
    """What a seat is called: left and right of two, else its number."""
    if seats == 2:
        return _("left") if place == 0 else _("right")
    return _("seat %(n)d") % {"n": place + 1}
