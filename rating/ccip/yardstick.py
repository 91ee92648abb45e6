"""What the references themselves get: the ceiling and the floor that a checkpoint's score stands between."""

from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rating.ccip.intervals import Floats
from rating.ccip.pictures import Picture
from rating.ccip.report import Duplicate
from rating.ccip.suite import Suite

COPY = 1e-4  # the difference below which two images are one


@dataclass(frozen=True, eq=False)
class Yardstick:
    """Of a suite's C characters with r references in all; `owner` (r,) is the place of each one's character.

    `ceiling` (C, 2): mean difference and same rate of a character's references, each against the others (leave one
    out). `floor` (C, 2): the same of all other characters' references against this one's; nan without others.
    """

    names: list[str]
    references: list[Picture]
    owner: NDArray[np.intp]
    ceiling: Floats
    floor: Floats
    duplicates: tuple[Duplicate, ...]

    def means(self, pairs: ArrayLike, counted: NDArray[np.bool_]) -> Floats:
        """(n, C) of pairs (n, r): the mean over each character's references that count; nan where none does."""
        return _means(pairs, counted, self.owner)


def measure(suite: Suite, differences: NDArray[np.float32], threshold: float) -> Yardstick:
    """Ceiling, floor and duplicates from the differences (r, r) of all references, characters in order."""
    names = [character.name for character in suite.characters]
    references = list(chain.from_iterable(suite.references.values()))
    owner = np.repeat(np.arange(len(names)), [len(own) for own in suite.references.values()])
    others = ~np.eye(len(owner), dtype=bool)
    by_measure = [_means(pairs, others, owner) for pairs in (differences, differences <= np.float32(threshold))]
    ceiling, floor = np.full((len(names), 2), np.nan), np.full((len(names), 2), np.nan)
    for at in range(len(names)):
        own = owner == at
        for column, means in enumerate(by_measure):
            ceiling[at, column] = means[own, at].mean()
            if len(names) > 1:
                floor[at, column] = means[~own, at].mean()
    return Yardstick(names, references, owner, ceiling, floor, _duplicates(references, differences))


def _means(pairs: ArrayLike, counted: NDArray[np.bool_], owner: NDArray[np.intp]) -> Floats:
    members = np.eye(owner.max() + 1)[owner]
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(counted, np.asarray(pairs, np.float64), 0.0) @ members / (counted @ members))


def _duplicates(references: list[Picture], differences: NDArray[np.float32]) -> tuple[Duplicate, ...]:
    hashes = np.array([reference.sha256 for reference in references])
    alike = (differences < COPY) | (hashes[:, None] == hashes)
    return tuple(
        Duplicate(references[one].name, references[other].name, float(differences[one, other]))
        for one, other in np.argwhere(np.triu(alike, 1)).tolist()
    )
