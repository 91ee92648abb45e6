"""Character similarity by contestant: the paper's figure 7."""

from dataclasses import dataclass
from functools import partial
from statistics import fmean

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from arena.evaluations.models import CheckpointScore
from arena.leaderboard.figures.asking import Cell, Column, Figure, Table
from arena.leaderboard.figures.intervals import Guide, Interval, draw
from arena.leaderboard.figures.svg import Canvas, spelled


@dataclass(frozen=True)
class Measured:
    """An automatic metric that is stored: its name and title, and whether less is better."""

    name: str
    title: str
    falling: bool = False


MEASURES = {
    one.name: one
    for one in (
        Measured("difference", gettext_lazy("CCIP difference"), falling=True),  # type: ignore[arg-type]
        Measured("same_rate", gettext_lazy("CCIP same-character rate")),  # type: ignore[arg-type]
        Measured("top1", gettext_lazy("CCIP nearest character")),  # type: ignore[arg-type]
    )
}


def current_scores() -> list[CheckpointScore]:
    """The scores that may stand beside each other, without their images."""
    found = CheckpointScore.objects.current().select_related("contestant__checkpoint__run", "contestant__lora")
    return list(found.defer("result", "contestant__recipe", "contestant__checkpoint__manifest"))


def ccip(measure: Measured) -> Figure:
    """One measure of the current scores, best first."""
    found = [score for score in current_scores() if getattr(score, measure.name) is not None]
    found.sort(key=lambda score: getattr(score, measure.name), reverse=not measure.falling)
    message = _("No checkpoint was held against reference images yet.")
    lacking = sum(not score.complete for score in found)
    notes = [score.notice for score in found[:1] if score.notice]
    notes += [_("Hollow dots lack images that the suite asks for.")] if lacking else []
    notes += [_("Encoder: %(name)s.") % {"name": found[0].encoder_name}] if found else []
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


def interval_of(score: CheckpointScore, measure: Measured) -> tuple[float | None, float | None]:
    """The 95 % interval over characters, where the measure has one."""
    return getattr(score, f"{measure.name}_low", None), getattr(score, f"{measure.name}_high", None)


def _spelt(score: CheckpointScore, measure: Measured) -> str:
    return spelled(getattr(score, measure.name), 3)


def _draw(found: list[CheckpointScore], measure: Measured, width: float) -> Canvas:
    rows = [
        Interval(
            str(score.contestant),
            getattr(score, measure.name),
            *interval_of(score, measure),
            spelled=_spelt(score, measure),
            hollow=not score.complete,
        )
        for score in found
    ]
    way = _("less is better") if measure.falling else _("more is better")
    label = _("%(measure)s with its interval over characters; %(way)s") % {"measure": measure.title, "way": way}
    return draw(rows, label, width=width, guides=_guides(found, measure))


def _guides(found: list[CheckpointScore], measure: Measured) -> list[Guide]:
    """What the references have among themselves, and images against the references of other characters."""
    lines = ((f"reference_{measure.name}", _("references")), (f"floor_{measure.name}", _("other characters")))
    guides = []
    for name, label in lines:
        known = [getattr(score, name, None) for score in found]
        numbers = [number for number in known if number is not None]
        guides += [Guide(fmean(numbers), label)] if numbers else []
    return guides


def _table(found: list[CheckpointScore], measure: Measured) -> Table:
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
            [str(score.contestant), checkpoint.run.name, checkpoint.epoch, *numbers, score.images, score.missing]
        )
    return Table("ccip", str(measure.title), columns, cells)
