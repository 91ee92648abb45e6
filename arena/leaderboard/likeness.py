"""Which of two contestants is nearer to the characters: measured, paired image by image (docs/ccip.md)."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from arena.evaluations.models import CheckpointScore
from arena.gallery.models import Contestant
from rating.ccip.comparing import compare
from rating.ccip.report import CheckpointScore as Measured
from rating.errors import RatingError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Likeness:
    """B less A: the mean difference to the references, over the images that both have; lower is nearer.

    `low` to `high` hold it at `level`, over `characters`; None for one alone. `dropped` images only one of the two has.
    `verdict` names who is nearer, or is "undecided"; `encoder` by what, `notice` what has to be said beside it.
    """

    a: str
    b: str
    value: float
    low: float | None
    high: float | None
    level: float
    p: float
    characters: int
    images: int
    dropped: int
    verdict: str
    encoder: str
    notice: str


def likeness(a: Contestant, b: Contestant, *, level: float = 0.95, as_of: datetime | None = None) -> Likeness | None:
    """By b's newest score, until `as_of`, that one of a's is comparable to; None where none can be read."""
    both = _comparable(a, b, as_of)
    if both is None:
        return None
    # Names may be equal where two recipes render one checkpoint; keys are not.
    try:
        found = [replace(Measured.from_json(score.result), checkpoint=str(score.contestant_id)) for score in both]
    except RatingError as error:
        logger.error("a stored score of %s or %s cannot be read: %s", a, b, error)
        return None
    if not {image.key for image in found[0].images} & {image.key for image in found[1].images}:
        return None
    nearer = next(one for one in compare(found, level=level) if one.measure == "difference")
    return Likeness(
        a=str(a),
        b=str(b),
        value=nearer.value,
        low=nearer.low,
        high=nearer.high,
        level=level,
        p=nearer.p,
        characters=nearer.characters,
        images=nearer.images,
        dropped=len(nearer.dropped),
        verdict={"A": str(a), "B": str(b)}.get(nearer.verdict, nearer.verdict),
        encoder=both[1].encoder_name,
        notice=both[1].notice,
    )


def spell_likeness(found: Likeness) -> str:
    """A line for a terminal."""
    said = "undecided who is nearer" if found.verdict == "undecided" else f"{found.verdict} is nearer"
    reach = "" if found.low is None else f" ({found.low:+.3f} to {found.high:+.3f}, {100 * found.level:g} %)"
    return (
        f"Likeness to {found.characters} characters by {found.encoder}, measured and not voted: {said}. Mean "
        f"difference of {found.b} less that of {found.a} {found.value:+.3f}{reach}, lower is nearer; "
        f"{found.images} images of each"
        + (f", {found.dropped} that only one has left out" if found.dropped else "")
        + (f" ({found.notice})." if found.notice else ".")
    )


def _comparable(a: Contestant, b: Contestant, as_of: datetime | None) -> tuple[CheckpointScore, CheckpointScore] | None:
    scores = CheckpointScore.objects.filter(measured_at__lte=as_of) if as_of else CheckpointScore.objects.all()
    for newest in scores.filter(contestant=b):
        other = scores.filter(contestant=a).comparable_to(newest).first()
        if other:
            return other, newest
    return None
