"""Is one checkpoint more like the characters than another? Paired by image, sure by character, Holm over the pairs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from rating.ccip.errors import MixedEncodersError, SuiteError
from rating.ccip.intervals import RESAMPLES, Method, estimate, holm
from rating.ccip.report import CheckpointScore
from rating.ccip.suite import Key

Measure = Literal["difference", "same_rate"]
MEASURES: tuple[Measure, ...] = ("difference", "same_rate")


@dataclass(frozen=True)
class PairedDifference:
    """B less A, the mean over characters of the mean over their images that both have.

    `low`, `high` hold it at the level asked for, for this pair alone; None for a single character. `p_holm` is p
    corrected for all pairs of the measure, and decides the `verdict`. `dropped` are keys that only one of the two has.
    """

    a: str
    b: str
    measure: Measure
    value: float
    low: float | None
    high: float | None
    p: float
    p_holm: float
    method: Method
    characters: int
    images: int
    dropped: tuple[Key, ...]
    verdict: Literal["A", "B", "undecided"]


def compare(
    scores: Sequence[CheckpointScore], *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[PairedDifference, ...]:
    """Every pair by mean difference (lower is better) and by same rate (higher is better).

    At least `resamples` for each pair, as Holm's correction asks for smaller p-values the more pairs there are.
    Raises MixedEncodersError or SuiteError for scores of different encoders, thresholds or suites, SuiteError for
    fewer than two, for two of one name, or for two that share no image.
    """
    _check(scores)
    pairs = list(combinations(scores, 2))
    found = []
    for measure in MEASURES:
        own = [_paired(a, b, measure, level, resamples * len(pairs), seed) for a, b in pairs]
        corrected = holm([one.p for one in own])
        found += [_judged(one, p, level) for one, p in zip(own, corrected, strict=True)]
    return tuple(found)


def _paired(
    a: CheckpointScore, b: CheckpointScore, measure: Measure, level: float, resamples: int, seed: int
) -> PairedDifference:
    of_a, of_b = ({image.key: float(getattr(image, measure)) for image in one.images} for one in (a, b))
    shared = sorted(of_a.keys() & of_b.keys())
    if not shared:
        raise SuiteError(f"{a.checkpoint} and {b.checkpoint} have no image of the same key; score both whole")
    by_character: dict[str, list[float]] = {}
    for key in shared:
        by_character.setdefault(key.character, []).append(of_b[key] - of_a[key])
    means = np.array([np.mean(values) for values in by_character.values()])
    mean, p = estimate(means, level=level, resamples=resamples, seed=seed)
    return PairedDifference(
        a=a.checkpoint,
        b=b.checkpoint,
        measure=measure,
        value=mean.value,
        low=mean.low,
        high=mean.high,
        p=p,
        p_holm=p,
        method=mean.method,
        characters=len(means),
        images=len(shared),
        dropped=tuple(sorted(of_a.keys() ^ of_b.keys())),
        verdict="undecided",
    )


def _judged(one: PairedDifference, p_holm: float, level: float) -> PairedDifference:
    verdict: Literal["A", "B", "undecided"] = "undecided"
    if p_holm < 1.0 - level and one.value:
        verdict = "B" if (one.value < 0) == (one.measure == "difference") else "A"
    return replace(one, p_holm=p_holm, verdict=verdict)


def _check(scores: Sequence[CheckpointScore]) -> None:
    names = [score.checkpoint for score in scores]
    if len(names) < 2:
        raise SuiteError("one score alone makes no pair; give two or more")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SuiteError(f"two scores are called {twice!r}; give each once, or score folders of different names")
    first = scores[0]
    for other in scores[1:]:
        both = f"{first.checkpoint} and {other.checkpoint}"
        if other.encoder != first.encoder:
            raise MixedEncodersError(
                f"{both} were scored by different encoders ({first.encoder_name} {first.encoder[:12]}, "
                f"{other.encoder_name} {other.encoder[:12]}); score both by one"
            )
        if other.threshold != first.threshold:
            raise MixedEncodersError(
                f"{both} were scored at thresholds {first.threshold:g} and {other.threshold:g}; score both at one"
            )
        if other.suite != first.suite:
            raise SuiteError(
                f"{both} were scored on different suites ({first.suite[:12]}, {other.suite[:12]}); score both on one"
            )
