"""What a probe found of one checkpoint: numbers by case, their means over cases, and how they are written down."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from generation.probes.colour import Pixels
from generation.probes.measures import MEASURES
from generation.probes.probe import Case, Probe

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over cases and its 95 % interval (Student's t), None where there is one case."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """A probe of one checkpoint.

    Attributes:
        checkpoint, sha256: its name and the hash of its weights.
        suite: hash of all that was asked; see `Probe.suite`.
        images: how many were looked at.
        cases: by case, the measure's numbers.
    """

    probe: Probe
    checkpoint: str
    sha256: str
    suite: str
    images: int
    cases: Mapping[str, Mapping[str, float]]

    @property
    def means(self) -> dict[str, Estimate]:
        """Every number as a mean over cases."""
        names = next(iter(self.cases.values()))
        return {name: estimate([numbers[name] for numbers in self.cases.values()]) for name in names}

    @property
    def headline(self) -> Estimate:
        """The one number that stands for all."""
        return self.means[self.probe.headline]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        means = {
            name: {"value": one.value, "low": one.low, "high": one.high, "headline": name == self.probe.headline}
            for name, one in self.means.items()
        }
        return {
            "probe": self.probe.name,
            "section": self.probe.section,
            "checkpoint": self.checkpoint,
            "sha256": self.sha256,
            "suite": self.suite,
            "title": self.probe.title,
            "unit": self.probe.unit,
            "image_count": self.images,
            "better": "less" if self.probe.falling else "more",
            "means": means,
            "cases": {name: dict(numbers) for name, numbers in self.cases.items()},
        }

    def rows(self) -> Iterator[tuple[str, str, str, float, float | None, float | None]]:
        """Checkpoint, case (``all`` for the means), name, value, low, high."""
        for name, one in self.means.items():
            yield self.checkpoint, "all", name, one.value, one.low, one.high
        for case, numbers in self.cases.items():
            for name, value in numbers.items():
                yield self.checkpoint, case, name, value, None, None


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and 95 % t interval of values that are independent of each other."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Estimate(mean, None, None)
    reach = float(stdtrit(len(values) - 1, (1 + LEVEL) / 2) * np.std(values, ddof=1) / len(values) ** 0.5)
    return Estimate(mean, mean - reach, mean + reach)


def measured(
    probe: Probe, cases: Sequence[Case], images: Mapping[str, Mapping[str, Pixels]]
) -> dict[str, dict[str, float]]:
    """The measure's numbers by case."""
    return {case.name: MEASURES[probe.name](images[case.name], case) for case in cases}
