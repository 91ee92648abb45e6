"""Figures that take all votes at once, out of the board's study: who beats whom, ratings over votes."""

from collections.abc import Sequence

import numpy as np
from django.utils.translation import gettext as _

from arena.gallery.models import Contestant
from arena.leaderboard.figures import lines, wins
from arena.leaderboard.figures.asking import UNITS, Ask, Cell, Column, Figure, Table
from arena.leaderboard.figures.of_board import poll_title
from arena.leaderboard.figures.svg import SERIES, spelled
from arena.leaderboard.log import Slice
from arena.leaderboard.studying import Findings, Studied, study
from arena.leaderboard.table import TITLES
from arena.leaderboard.tasks import study_later
from rating.tally import PROVISIONAL_VOTES

SHOWN = 40


def studied(ask: Ask, seconds: float | None) -> Studied:
    """The study of the votes that are asked for; a worker is asked for what a page has no time for."""
    found = study(Slice(ask.poll, ask.population, ask.cut), patient=seconds is None)
    if seconds is not None:
        study_later(found)
    return found


def reason(found: Studied) -> str:
    """Why a study has no numbers; empty where it has."""
    texts = {
        "unknown": _("All votes are being studied for this figure. It will be here in a moment, if a worker runs."),
        "no-votes": _("No votes yet: the first one opens this figure."),
        "all-draws": _("All votes so far are draws: nothing tells the contestants apart."),
        "disconnected": _("The votes fall into groups of contestants that never met, so nothing compares them."),
        "separated": _("Some contestants won, or lost, every comparison with the others; more votes will help."),
    }
    return texts.get(found.state, "")


def lean_contestants(keys: Sequence[int]) -> dict[int, Contestant]:
    """The contestants by key, with checkpoint and run, without recipes and manifests."""
    lean = Contestant.objects.select_related("checkpoint__run", "lora").defer("recipe", "checkpoint__manifest")
    return lean.in_bulk(keys)


def nothing(kind: str, title: str, found: Studied, message: str = "") -> Figure:
    """The figure of a study that allows none."""
    text = message or reason(found)
    state = found.state if reason(found) else "no-votes"
    return Figure(kind, title, text, None, state=state, message=text, votes=found.counted, behind=found.behind)


def best_first(findings: Findings) -> list[int]:
    """The places of the contestants by strength, else by their share of wins; those without votes last."""
    met = findings.beats + findings.beats.T + findings.ties
    share = (findings.beats.sum(axis=1) + findings.ties.sum(axis=1) / 2) / np.maximum(met.sum(axis=1), 1)
    strength = np.where(np.isfinite(findings.strength), findings.strength, -np.inf)
    return np.lexsort((-share, -strength)).tolist() if np.isfinite(strength).any() else np.argsort(-share).tolist()


def win_matrix(ask: Ask, seconds: float | None) -> Figure:
    """How often each contestant was placed before each other one; no model."""
    title = _("Who beats whom · %(poll)s") % {"poll": poll_title(ask.poll)}
    found = studied(ask, seconds)
    findings = found.findings
    if findings is None or found.state in {"unknown", "no-votes"}:
        return nothing("wins", title, found)
    order = best_first(findings)
    names = {key: str(one) for key, one in lean_contestants(findings.contestants.tolist()).items()}
    called = [names.get(key, str(key)) for key in findings.contestants.tolist()]

    def meeting(one: int, other: int) -> wins.Meeting:
        won, lost = int(findings.beats[one, other]), int(findings.beats[other, one])
        return wins.Meeting(won, int(findings.ties[one, other]), lost)

    def sentence(one: int, other: int) -> str:
        met = meeting(one, other)
        record = {"a": called[one], "b": called[other], "won": met.won, "drawn": met.drawn, "lost": met.lost}
        return _("%(a)s against %(b)s: %(won)d won, %(drawn)d drawn, %(lost)d lost") % record

    shown = order[:SHOWN]
    grid = [[meeting(one, other) for other in shown] for one in shown]
    said = [[sentence(one, other) for other in shown] for one in shown] if len(shown) <= SHOWN // 2 else []
    captions = _("row wins more"), _("row loses more")
    rows: list[list[Cell]] = []
    for place, one in enumerate(order):
        for other in order[place + 1 :]:
            met = meeting(one, other)
            if met.share is not None:
                rows.append([called[one], called[other], met.won, met.drawn, met.lost, 100 * met.share])
    columns = [
        Column("contestant", _("Contestant")),
        Column("against", _("Against")),
        Column("won", _("Won")),
        Column("drawn", _("Drawn")),
        Column("lost", _("Lost")),
        Column("percent", _("Percent"), 1),
    ]
    notes = [_("Numbers are percent of comparisons won, a draw being half a win. Rows stand by strength, best first.")]
    if len(order) > SHOWN:
        limits = {"shown": SHOWN, "all": len(order)}
        notes.append(_("The picture shows the best %(shown)d of %(all)d contestants; the CSV file has all.") % limits)
    return Figure(
        kind="wins",
        title=title,
        description=_("%(n)d contestants, %(pairs)d pairs of them met.") % {"n": len(order), "pairs": len(rows)},
        draw=lambda width: wins.draw([called[one] for one in shown], grid, said, captions, width=width),
        tables=[Table("pairs", _("Pairs that met"), columns, rows)],
        notes=notes,
        votes=found.counted,
        behind=found.behind,
    )


def history(ask: Ask, seconds: float | None) -> Figure:
    """The ratings of a metric after more and more votes."""
    names = {"metric": TITLES[ask.metric], "poll": poll_title(ask.poll)}
    title = _("%(metric)s over votes · %(poll)s") % names
    found = studied(ask, seconds)
    findings = found.findings
    if findings is None or (reason(found) and found.state != "separated"):
        return nothing("history", title, found)
    values, at = findings.history(ask.metric), findings.at.tolist()
    keys = findings.contestants.tolist()
    contestants = lean_contestants(keys)
    called = [str(contestants.get(key, key)) for key in keys]
    votes = (findings.beats + findings.beats.T + findings.ties).sum(axis=1)
    order = sorted(range(len(keys)), key=lambda place: (votes[place] < PROVISIONAL_VOTES, -values[-1, place]))
    named = set(order[: len(SERIES)])
    drawn, rows = [], list[list[Cell]]()
    for place in order:
        points = [(float(x), float(y)) for x, y in zip(at, values[:, place].tolist(), strict=True) if np.isfinite(y)]
        drawn.append(lines.Series(called[place], points, place in named))
        rows += [[called[place], round(x), y] for x, y in points]
    columns = [
        Column("contestant", _("Contestant")),
        Column("votes", _("Votes")),
        Column(ask.metric, str(names["metric"]), UNITS[ask.metric]),
    ]
    leader = {"leader": called[order[0]], "value": spelled(float(values[-1, order[0]]), UNITS[ask.metric])}
    notes = [_("A line begins with the contestant's first vote. Lines of Elo wander however many votes there are.")]
    if len(order) > len(SERIES):
        notes.append(_("The %(n)d highest ones are named; the others are grey.") % {"n": len(SERIES)})
    return Figure(
        kind="history",
        title=title,
        description=_("After %(n)d votes %(leader)s is highest with %(value)s.") % {"n": at[-1], **leader},
        draw=lambda width: lines.draw(drawn, _("counted votes"), width=width),
        tables=[Table("history", _("Ratings over votes"), columns, rows)],
        notes=notes,
        votes=found.counted,
        behind=found.behind,
    )
