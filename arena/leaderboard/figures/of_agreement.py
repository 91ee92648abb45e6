"""People against a stored metric: agreement by pairs and by ranks, and where the two disagree the most."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from numpy.typing import NDArray

from arena.evaluations.models import CheckpointScore
from arena.gallery.models import Contestant, Sample
from arena.gallery.withholding import withheld_cells
from arena.leaderboard.figures.asking import Ask, Cell, Column, Figure, Table
from arena.leaderboard.figures.of_board import poll_title
from arena.leaderboard.figures.of_scores import MEASURES, Measured, Score, current_scores, interval_of, notice_of
from arena.leaderboard.figures.of_study import nothing, reason, studied
from arena.leaderboard.figures.scatter import Point, draw
from arena.leaderboard.figures.svg import spelled
from arena.leaderboard.studying import Findings
from rating import student
from rating.agreement import FEWEST, Agreement, Disagreement, Measure, agreement, disagreements
from rating.ranks import difference_sd

SEED, RESAMPLES = 0, 1000
LISTED, IMAGES = 8, 3
STATISTICS = {
    "share": gettext_lazy("share of pairs in the same order"),
    "kendall": gettext_lazy("Kendall's tau-b"),
    "spearman": gettext_lazy("Spearman's rho"),
}


@dataclass(frozen=True)
class Pictures:
    """One prompt and seed on which both of a pair were rendered; `better` is the sample that people's strength is with.

    `better_score` and `worse_score` are the metric's numbers of the two images, where it has them.
    """

    better: Sample
    worse: Sample
    better_score: str = ""
    worse_score: str = ""


@dataclass(frozen=True)
class Dispute:
    """A pair that people and metric order differently, in words and numbers; `pictures` are those that may be shown,
    `withheld` more are kept back."""

    better: str
    worse: str
    people: str
    better_score: str
    worse_score: str
    record: str
    sure: bool
    pictures: list[Pictures]
    withheld: int


@dataclass(frozen=True, eq=False)
class _Both:
    """n contestants that people and metric both rate: scores, places in the findings, strengths, and half the interval
    of each paired difference (n, n); `values` (n,) are the metric, more is better."""

    scores: list[Score]
    places: NDArray[np.intp]
    people: NDArray[np.float64]
    values: NDArray[np.float64]
    error: NDArray[np.float64]
    reach: NDArray[np.float64]


def people_and_metric(ask: Ask, seconds: float | None) -> Figure:
    """The scatter of strengths against the metric, the agreement, and the strongest disagreements with images."""
    measure = MEASURES[ask.metric]
    title = _("People and %(metric)s · %(poll)s") % {"metric": measure.title, "poll": poll_title(ask.poll)}
    found = studied(ask, seconds)
    if found.findings is None or reason(found):
        return nothing("agreement", title, found)
    both = _both(found.findings, measure)
    if len(both.scores) < 2:
        return nothing("agreement", title, found, _("Fewer than two contestants have both votes and a score yet."))
    told = agreement(both.people, both.values, resamples=RESAMPLES, rng=np.random.default_rng(SEED))
    contrary = disagreements(both.people, both.values, both.error)
    points = [_point(both, at, measure) for at in range(len(both.scores))]
    across = _("%(metric)s (less is better)") if measure.falling else _("%(metric)s (more is better)")
    notes = notice_of(both.scores)
    if len(both.scores) < FEWEST:
        notes.append(_("Fewer than %(n)d contestants: too few for an interval.") % {"n": FEWEST})
    return Figure(
        kind="agreement",
        title=title,
        description=_sentence(told),
        draw=lambda width: draw(
            points,
            across % {"metric": measure.title},
            _("strength by people's votes, in Elo points"),
            width=width,
            falling=measure.falling,
        ),
        tables=[_statistics(told), _contestants(both, measure), _contrary(both, contrary, measure)],
        notes=notes,
        votes=found.counted,
        behind=found.behind,
        extra={"disputes": _disputes(both, found.findings, contrary[:LISTED], measure), "contrary": len(contrary)},
    )


def _both(findings: Findings, measure: Measured) -> _Both:
    rated = {key: at for at, key in enumerate(findings.contestants.tolist()) if np.isfinite(findings.strength[at])}
    scores = [
        score
        for score in current_scores(measure)
        if score.contestant_id in rated and getattr(score, measure.name) is not None
    ]
    places = np.array([rated[score.contestant_id] for score in scores], dtype=np.intp)
    values = np.array([getattr(score, measure.name) for score in scores], dtype=np.float64)
    covariance = findings.covariance[np.ix_(places, places)]
    critical = student.quantile(0.975, float(findings.dof))
    return _Both(
        scores=scores,
        places=places,
        people=findings.strength[places],
        values=-values if measure.falling else values,
        error=critical * difference_sd(covariance),
        reach=critical * np.sqrt(np.diag(covariance)),
    )


def _point(both: _Both, at: int, measure: Measured) -> Point:
    score, people, reach = both.scores[at], float(both.people[at]), float(both.reach[at])
    value = getattr(score, measure.name)
    numbers = {"name": score.contestant, "people": spelled(people, 0), "metric": spelled(value, 3)}
    sentence = _("%(name)s: %(people)s points by people, %(metric)s by the metric") % numbers
    low, high = interval_of(score, measure)
    return Point(str(score.contestant), value, people, low, high, people - reach, people + reach, sentence)


def _sentence(told: Agreement) -> str:
    if told.share is None:
        return _("No pair of the %(n)d contestants is put in an order by both.") % {"n": told.contestants}
    numbers = {"agreeing": told.agreeing, "pairs": told.pairs, "share": _spelt(told.share, percent=True)}
    return _("People and metric put %(agreeing)d of %(pairs)d pairs in the same order: %(share)s.") % numbers


def _spelt(measure: Measure | None, *, percent: bool = False) -> str:
    """Such as: 0.62 (0.31 to 0.80)."""
    if measure is None:
        return "\N{EN DASH}"

    def text(number: float) -> str:
        return f"{spelled(100 * number, 0)} %" if percent else spelled(number, 2)

    if measure.low is None or measure.high is None:
        return text(measure.value)
    ends = {"value": text(measure.value), "low": text(measure.low), "high": text(measure.high)}
    return _("%(value)s (%(low)s to %(high)s)") % ends


def _statistics(told: Agreement) -> Table:
    columns = [
        Column("statistic", _("Statistic"), words=STATISTICS),
        Column("value", _("Value"), 3),
        Column("low", _("Interval from"), 3),
        Column("high", _("Interval to"), 3),
        Column("pairs", _("Pairs")),
    ]
    rows: list[list[Cell]] = []
    for name in STATISTICS:
        measure = getattr(told, name)
        numbers = [None] * 3 if measure is None else [measure.value, measure.low, measure.high]
        rows.append([name, *numbers, told.pairs])
    return Table("agreement", _("Agreement"), columns, rows)


def _contestants(both: _Both, measure: Measured) -> Table:
    columns = [
        Column("contestant", _("Contestant")),
        Column("people", _("People"), 0),
        Column("people_error", "±", 0),
        Column(measure.name, str(measure.title), 4),
    ]
    order = np.argsort(-both.people).tolist()
    rows: list[list[Cell]] = [
        [
            str(both.scores[at].contestant),
            float(both.people[at]),
            float(both.reach[at]),
            getattr(both.scores[at], measure.name),
        ]
        for at in order
    ]
    return Table("contestants", _("Both measures by contestant"), columns, rows)


def _contrary(both: _Both, contrary: Sequence[Disagreement], measure: Measured) -> Table:
    columns = [
        Column("people_prefer", _("People prefer")),
        Column("over", _("Over")),
        Column("points", _("by points"), 0),
        Column("error", "±", 0),
        Column("sure", _("beyond doubt")),
        Column("metric_better", str(measure.title), 4),
        Column("metric_worse", _("of the other"), 4),
        Column("strength", _("Strength (sd)"), 2),
    ]
    rows: list[list[Cell]] = []
    for pair in contrary:
        one, other = both.scores[pair.better], both.scores[pair.worse]
        points = float(both.people[pair.better] - both.people[pair.worse])
        error = float(both.error[pair.better, pair.worse])
        values = [getattr(one, measure.name), getattr(other, measure.name)]
        rows.append([str(one.contestant), str(other.contestant), points, error, pair.sure, *values, pair.strength])
    return Table("disagreements", _("Pairs in a different order, the strongest first"), columns, rows)


def _disputes(both: _Both, findings: Findings, pairs: Sequence[Disagreement], measure: Measured) -> list[Dispute]:
    """The pairs with their images; of all pictures of a pair those on which the metric is the surest."""
    scores = [(both.scores[pair.better], both.scores[pair.worse]) for pair in pairs]
    asked = {score.pk: score for two in scores for score in two}
    # Only character similarity says something of single images.
    whole = {} if measure.probe else CheckpointScore.objects.in_bulk(asked)
    by_image = {score.contestant_id: image_scores(score, measure) for score in whole.values()}
    samples = samples_by_cell([score.contestant for score in asked.values()])
    withheld = withheld_cells({prompt for cells in samples.values() for prompt, _seed in cells})
    found = []
    for pair, (better, worse) in zip(pairs, scores, strict=True):
        of_better, of_worse = samples[better.contestant_id], samples[worse.contestant_id]
        shared = of_better.keys() & of_worse.keys()
        shown = [_pictures(of_better[cell], of_worse[cell], by_image, measure) for cell in sorted(shared - withheld)]
        shown.sort(key=lambda one: -one[0])
        places = both.places[pair.better], both.places[pair.worse]
        record = {"won": findings.beats[places], "lost": findings.beats[places[::-1]], "drawn": findings.ties[places]}
        points = both.people[pair.better] - both.people[pair.worse], both.error[pair.better, pair.worse]
        found.append(
            Dispute(
                better=str(better.contestant),
                worse=str(worse.contestant),
                people=f"{spelled(float(points[0]), 0)} ± {spelled(float(points[1]), 0)}",
                better_score=spelled(getattr(better, measure.name), 3),
                worse_score=spelled(getattr(worse, measure.name), 3),
                record=_("%(won)d won, %(drawn)d drawn, %(lost)d lost") % record,
                sure=pair.sure,
                pictures=[one for _gap, one in shown[:IMAGES]],
                withheld=len(shared & withheld),
            )
        )
    return found


ImageKey = tuple[str, str, int]


def image_scores(score: CheckpointScore, measure: Measured) -> dict[ImageKey, float]:
    """What a metric says of single images, by character, prompt name and seed; nothing where it has no such part."""
    images = score.result.get("images", []) if isinstance(score.result, dict) else []
    return {tuple(one["key"]): one[measure.name] for one in images if measure.name in one}  # type: ignore[misc]


def samples_by_cell(contestants: Sequence[Contestant]) -> dict[int, dict[tuple[int, int], Sample]]:
    """The samples of named characters, by contestant and cell."""
    found: dict[int, dict[tuple[int, int], Sample]] = {one.pk: {} for one in contestants}
    samples = Sample.objects.filter(contestant__in=found, prompt__character__isnull=False)
    for sample in samples.select_related("prompt__character").defer("manifest"):
        found[sample.contestant_id][sample.prompt_id, sample.seed] = sample
    return found


def _pictures(
    better: Sample, worse: Sample, by_image: dict[int, dict[ImageKey, float]], measure: Measured
) -> tuple[float, Pictures]:
    """The two images, and by how much the metric is against people there."""
    own = _score_of(better, by_image), _score_of(worse, by_image)
    if own[0] is None or own[1] is None:
        return 0.0, Pictures(better, worse)
    gap = (own[0] - own[1]) * (1 if measure.falling else -1)
    return gap, Pictures(better, worse, spelled(own[0], 3), spelled(own[1], 3))


def _score_of(sample: Sample, by_image: dict[int, dict[ImageKey, float]]) -> float | None:
    """By the prompt's key or its text: suites name their prompts either way."""
    known, character = by_image.get(sample.contestant_id, {}), sample.prompt.character
    names = (str(sample.prompt_id), sample.prompt.text)
    return next(
        (known[character.name, name, sample.seed] for name in names if (character.name, name, sample.seed) in known),
        None,
    )
