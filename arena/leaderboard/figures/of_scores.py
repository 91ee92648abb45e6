"""Automatic metrics by contestant: character similarity (the paper's figure 7) and probes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from arena.evaluations.models import CheckpointScore, ProbeScore
from arena.leaderboard.figures.asking import Cell, Column, Figure, Table
from arena.leaderboard.figures.intervals import Guide, Interval, draw
from arena.leaderboard.figures.svg import Canvas, spelled
from generation.probes.probe import find_probe

Score = CheckpointScore | ProbeScore


@dataclass(frozen=True)
class Measured:
    """An automatic metric that is stored: the field of its score, its title, whether less is better, and its probe, if
    it is the headline of one."""

    name: str
    title: str
    falling: bool = False
    probe: str = ""

    @property
    def message(self) -> str:
        """What to say where nobody has a score."""
        if self.probe:
            return _("No checkpoint was probed for it yet.")
        return _("No checkpoint was held against reference images yet.")


MEASURES = {
    "ccip-difference": Measured("difference", gettext_lazy("CCIP difference"), falling=True),  # type: ignore[arg-type]
    "ccip-same-rate": Measured("same_rate", gettext_lazy("CCIP same-character rate")),  # type: ignore[arg-type]
    "ccip-top1": Measured("top1", gettext_lazy("CCIP nearest character")),  # type: ignore[arg-type]
} | {
    f"probe-{name}": Measured("value", name.label, falling=find_probe(name).falling, probe=name)
    for name in ProbeScore.Name
}


def current_scores(measure: Measured) -> list[Score]:
    """The scores that may stand beside each other, without their images."""
    scores = ProbeScore.objects.current(measure.probe) if measure.probe else CheckpointScore.objects.current()
    found = scores.select_related("contestant__checkpoint__run", "contestant__lora")
    return list(found.defer("result", "contestant__recipe", "contestant__checkpoint__manifest"))


def notice_of(found: Sequence[Score]) -> list[str]:
    """What the encoder of the scores wants said, if they have one."""
    return [score.notice for score in found[:1] if isinstance(score, CheckpointScore) and score.notice]


def scores(measure: Measured) -> Figure:
    """One measure of the current scores, best first; incomplete ones last, as on the board."""
    found = [score for score in current_scores(measure) if getattr(score, measure.name) is not None]
    sign = 1 if measure.falling else -1
    found.sort(key=lambda score: (_missing(score) > 0, sign * getattr(score, measure.name)))
    message = measure.message
    notes = notice_of(found)
    notes += [_("Hollow dots lack images that the suite asks for.")] if any(map(_missing, found)) else []
    encoders = [score.encoder_name for score in found[:1] if isinstance(score, CheckpointScore)]
    notes += [_("Encoder: %(name)s.") % {"name": name} for name in encoders]
    description = _("%(n)d contestants, best first. %(leader)s leads with %(value)s.")
    leader = {"n": len(found), "leader": found[0].contestant, "value": _spelt(found[0], measure)} if found else {}
    return Figure(
        kind="ratings",
        title=str(measure.title),
        description=description % leader if found else message,
        draw=partial(_draw, found, measure) if found else None,
        tables=[_table(found, measure)],
        state="ok" if found else "no-scores",
        message="" if found else message,
        notes=notes,
    )


def _missing(score: Score) -> int:
    return score.missing if isinstance(score, CheckpointScore) else 0


def interval_of(score: Score, measure: Measured) -> tuple[float | None, float | None]:
    """The 95 % interval over characters, or a probe's cases, where the measure has one."""
    return getattr(score, f"{measure.name}_low", None), getattr(score, f"{measure.name}_high", None)


def _spelt(score: Score, measure: Measured) -> str:
    return spelled(getattr(score, measure.name), 3)


def _draw(found: list[Score], measure: Measured, width: float) -> Canvas:
    rows = [
        Interval(
            str(score.contestant),
            getattr(score, measure.name),
            *interval_of(score, measure),
            spelled=_spelt(score, measure),
            hollow=bool(_missing(score)),
        )
        for score in found
    ]
    way = _("less is better") if measure.falling else _("more is better")
    over = _("%(measure)s with its interval over characters; %(way)s")
    if measure.probe:
        over = _("%(measure)s with its interval over the probe's cases; %(way)s")
    label = over % {"measure": measure.title, "way": way}
    return draw(rows, label, width=width, guides=_guides(found, measure))


def _guides(found: list[Score], measure: Measured) -> list[Guide]:
    """What the references have among themselves, and images against the references of other characters."""
    lines = ((f"reference_{measure.name}", _("references")), (f"floor_{measure.name}", _("other characters")))
    guides = []
    for name, label in lines:
        known = [getattr(score, name, None) for score in found]
        numbers = [number for number in known if number is not None]
        guides += [Guide(fmean(numbers), label)] if numbers else []
    return guides


def _table(found: list[Score], measure: Measured) -> Table:
    columns = [
        Column("contestant", _("Contestant")),
        Column("run", _("Run")),
        Column("epoch", _("Epoch")),
        Column(measure.name, str(measure.title), 4),
        Column("low", _("Interval from"), 4),
        Column("high", _("Interval to"), 4),
        Column("images", _("Images")),
        Column("missing", _("Missing")),
    ]
    cells: list[list[Cell]] = []
    for score in found:
        checkpoint = score.contestant.checkpoint
        numbers = [getattr(score, measure.name), *interval_of(score, measure)]
        cells.append(
            [str(score.contestant), checkpoint.run.name, checkpoint.epoch, *numbers, score.images, _missing(score)]
        )
    return Table("ccip", str(measure.title), columns, cells)
