"""The trend over the epochs of a run, and whether one epoch is better than another, all at once."""

from dataclasses import dataclass

import numpy as np
from django.db.models import Count, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from arena.gallery.finding import listed
from arena.gallery.models import Contestant, Run
from arena.leaderboard.cuts import UnknownBoardError
from arena.leaderboard.figures.asking import Ask, Cell, Column, Figure, Table
from arena.leaderboard.figures.epochs import Epoch, draw
from arena.leaderboard.figures.of_board import poll_title
from arena.leaderboard.figures.of_study import nothing, reason, studied
from arena.leaderboard.figures.svg import spelled
from arena.leaderboard.studying import Findings
from rating.trend import Trend, trend

SEED = 0
VERDICTS = {
    "better": gettext_lazy("better"),
    "worse": gettext_lazy("worse"),
    "undecided": gettext_lazy("undecided"),
}


@dataclass(frozen=True)
class Stage:
    """One epoch of a run that the votes rate: its contestant, what it is called, and its place in the study."""

    contestant: Contestant
    number: int
    label: str
    place: int


def runs_with_epochs() -> list[str]:
    """The runs that can have a trend, newest first: two contestants, or one and the checkpoint it started from."""
    runs = Run.objects.annotate(
        epochs_there=Count("checkpoints__contestants", distinct=True),
        starts=Count("checkpoints__parent__contestants", distinct=True),
    )
    runs = runs.filter(Q(epochs_there__gte=2) | Q(epochs_there=1, starts__gte=1))
    return list(runs.values_list("name", flat=True))


def run_trend(ask: Ask, seconds: float | None) -> Figure:
    """Each epoch's gain on the run's start, or on its first rated epoch, in Elo points of the order-free likelihood.

    Raises UnknownBoardError for a run or an epoch that does not exist.
    """
    known = runs_with_epochs()
    if not known:
        return Figure("trend", _("Trend over epochs"), "", None, state="no-votes", message=_("No run has epochs yet."))
    name = ask.run or known[0]
    if name not in known:
        raise UnknownBoardError(f"there is no run {name!r} with epochs; known: {listed(known)}")
    title = _("Trend of %(run)s · %(poll)s") % {"run": name, "poll": poll_title(ask.poll)}
    found = studied(ask, seconds)
    if found.findings is None or reason(found):
        return nothing("trend", title, found)
    stages = stages_of(name, found.findings)
    if len(stages) < 2:
        return nothing("trend", title, found, _("Fewer than two epochs of this run have an estimate yet."))
    own = np.array([stage.place for stage in stages])
    covariance = found.findings.covariance[np.ix_(own, own)]
    told = trend(
        found.findings.strength[own], covariance, dof=float(found.findings.dof), rng=np.random.default_rng(SEED)
    )
    drawn = _epochs(stages, told)
    last = {"epoch": stages[-1].label, "first": _name(stages[0]), "gain": _gain(told, len(stages) - 1)}
    return Figure(
        kind="trend",
        title=title,
        description=_("Epoch %(epoch)s against %(first)s: %(gain)s.") % last,
        draw=lambda width: draw(drawn, _("epoch"), _up_label(stages), width=width),
        tables=[_gains(stages, told), _pairs(stages, told)],
        notes=[
            _("Intervals hold for all epochs at once with 95 %; a triangle says that an epoch is better (▲) or worse "
              "(▼) than the one before, beyond doubt among all pairs."),
            _("Strengths come from all votes at once, whatever their order, with the votes of a voter together."),
        ],
        votes=found.counted,
        behind=found.behind,
        extra={"question": question(stages, told, ask)},
    )  # fmt: skip


def stages_of(name: str, findings: Findings) -> list[Stage]:
    """The rated epochs of a run under the recipe that most of them share, after the checkpoint it started from."""
    rated = {key: at for at, key in enumerate(findings.contestants.tolist()) if np.isfinite(findings.strength[at])}
    plain = Contestant.objects.filter(lora=None)
    lean = plain.select_related("checkpoint__parent").defer("recipe", "checkpoint__manifest")
    own = list(lean.filter(checkpoint__run__name=name, pk__in=rated).order_by("checkpoint__epoch", "checkpoint__step"))
    if not own:
        return []
    recipes = [one.recipe_sha256 for one in own]
    recipe = max(recipes, key=lambda sha: (recipes.count(sha), sha))
    own = [one for one in own if one.recipe_sha256 == recipe]
    by_epoch = {one.checkpoint.epoch: one for one in own}  # of several steps of an epoch the last one
    stages = [Stage(one, epoch, str(epoch), rated[one.pk]) for epoch, one in by_epoch.items()]
    first = own[0].checkpoint
    start = lean.filter(checkpoint=first.parent_id, recipe_sha256=recipe, pk__in=rated).first()
    if start is not None and start.checkpoint.run_id != first.run_id:
        stages.insert(0, Stage(start, stages[0].number - 1, _("start"), rated[start.pk]))
    return stages


def question(stages: list[Stage], told: Trend, ask: Ask) -> dict[str, object]:
    """Whether one epoch is better than another: the choices, those chosen (the last and the first), and the answer.

    Raises UnknownBoardError for an epoch that is not there.
    """
    labels = [stage.label for stage in stages]
    later, earlier = ask.later or labels[-1], ask.earlier or labels[0]
    for chosen in (later, earlier):
        if chosen not in labels:
            raise UnknownBoardError(f"there is no rated epoch {chosen!r} in this run; known: {listed(labels)}")
    one, other = labels.index(later), labels.index(earlier)
    answers = {
        "better": _("Yes, beyond doubt."),
        "worse": _("No: it is worse, beyond doubt."),
        "undecided": _("Undecided so far."),
    }
    verdict = "undecided" if one == other else told.verdict(one, other)
    numbers = {"difference": _difference(told, one, other), "p": _probability(float(told.p[one, other]))}
    return {
        "epochs": labels,
        "later": later,
        "earlier": earlier,
        "verdict": verdict,
        "answer": answers[verdict],
        "numbers": _("%(difference)s; %(p)s, corrected for all pairs of epochs.") % numbers,
    }


def _probability(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _name(stage: Stage) -> str:
    """Such as: epoch 1; or: start."""
    return _("epoch %(epoch)s") % {"epoch": stage.label} if stage.label.isdecimal() else stage.label


def _up_label(stages: list[Stage]) -> str:
    if stages[0].contestant.checkpoint.run_id != stages[-1].contestant.checkpoint.run_id:
        return _("Elo points gained since the start")
    return _("Elo points gained since epoch %(epoch)s") % {"epoch": stages[0].label}


def _gain(told: Trend, at: int) -> str:
    """The gain on the first, with the interval that is drawn: that among all gains."""
    return _points(*(float(column[at]) for column in (told.gain, told.low, told.high)))


def _difference(told: Trend, one: int, other: int) -> str:
    """One epoch less another, with its interval among all pairs."""
    return _points(*(float(matrix[one, other]) for matrix in (told.difference, told.least, told.most)))


def _points(difference: float, low: float, high: float) -> str:
    """Such as: +35 points (10 to 60)."""
    sign = "+" if difference > 0 else ""
    return _("%(difference)s points (%(low)s to %(high)s)") % {
        "difference": sign + spelled(difference, 0), "low": spelled(low, 0), "high": spelled(high, 0),
    }  # fmt: skip


def _epochs(stages: list[Stage], told: Trend) -> list[Epoch]:
    drawn = []
    for at, stage in enumerate(stages):
        step = told.verdict(at, at - 1) if at else ""
        sentence = f"{stage.contestant}: {_gain(told, at)}"
        gain, low, high = (float(column[at]) for column in (told.gain, told.low, told.high))
        drawn.append(Epoch(stage.number, stage.label, gain, low, high, step, sentence))
    return drawn


def _gains(stages: list[Stage], told: Trend) -> Table:
    columns = [
        Column("epoch", _("Epoch")),
        Column("contestant", _("Contestant")),
        Column("gain", _("Gain"), 0),
        Column("low", _("Interval from"), 0),
        Column("high", _("Interval to"), 0),
        Column("step", _("Against the epoch before"), words=VERDICTS),
    ]
    rows: list[list[Cell]] = []
    for at, stage in enumerate(stages):
        step = told.verdict(at, at - 1) if at else ""
        numbers = [float(column[at]) for column in (told.gain, told.low, told.high)]
        rows.append([stage.label, str(stage.contestant), *numbers, step])
    return Table("epochs", _("Gains by epoch"), columns, rows)


def _pairs(stages: list[Stage], told: Trend) -> Table:
    """Every later epoch against every earlier one; neighbours first."""
    columns = [
        Column("epoch", _("Epoch")),
        Column("against", _("Against")),
        Column("difference", _("Difference"), 0),
        Column("low", _("Interval from"), 0),
        Column("high", _("Interval to"), 0),
        Column("p", "p", 3),
        Column("verdict", _("Verdict"), words=VERDICTS),
    ]
    rows: list[list[Cell]] = []
    for apart in range(1, len(stages)):
        for later in range(apart, len(stages)):
            at = later, later - apart
            numbers = [float(matrix[at]) for matrix in (told.difference, told.least, told.most, told.p)]
            rows.append([stages[later].label, stages[at[1]].label, *numbers, told.verdict(*at)])
    return Table("pairs", _("Every epoch against every earlier one"), columns, rows)
