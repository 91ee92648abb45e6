"""The score of a checkpoint on a suite: is each image like the references of its character? (docs/ccip.md)"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rating.ccip.encoder import CCIPEncoder, Progress
from rating.ccip.errors import CCIPError, ImageError, SuiteError
from rating.ccip.features import Features
from rating.ccip.intervals import Floats, estimate
from rating.ccip.pictures import ImageSource, Picture, picture_of
from rating.ccip.report import CharacterScore, CheckpointScore, ImageScore, Leak, Missing
from rating.ccip.suite import Key, Suite
from rating.ccip.yardstick import COPY, Yardstick, measure


def score(
    encoder: CCIPEncoder,
    suite: Suite,
    images: Mapping[Key, ImageSource],
    *,
    checkpoint: str,
    threshold: float | None = None,
    level: float = 0.95,
    seed: int = 0,
    progress: Progress | None = None,
) -> CheckpointScore:
    """Score the images of a checkpoint by name; what the suite asks for and is not there makes it incomplete.

    `threshold` in [0, 1] in place of the encoder's own. An image that is itself a reference, or differs from one by
    less than 1e-4, is reported, and held against the others only. `seed` is that of the bootstrap.
    Raises SuiteError for images that the suite does not ask for, or where none can be scored; ImageError for a
    reference that cannot be read.
    """
    limit = encoder.threshold if threshold is None else threshold
    if not 0 <= limit <= 1:
        raise SuiteError(f"a threshold lies in 0 to 1, not at {limit}")
    pictures, missing = _gathered(suite, images, checkpoint)
    references, found, failed = _embedded(encoder, suite, pictures, progress)
    missing += [Missing(key, str(error)) for key, error in failed.items()]
    yardstick = measure(suite, encoder.differences(references), limit)
    pairs = encoder.differences(found, references)
    against = _Against(yardstick, {key: one for key, one in pictures.items() if key not in failed}, pairs, limit)
    scored = against.scores()
    missing += [Missing(key, "each reference of its character is this image") for key in against.keys - scored.keys()]
    if not scored:
        raise SuiteError(f"{checkpoint}: none of {len(suite.keys())} images can be scored; {missing[0].reason}")
    characters = tuple(
        _of_character(name, at, scored, missing, yardstick)
        for at, name in enumerate(one.name for one in suite.characters)
    )
    return CheckpointScore(
        checkpoint=checkpoint,
        suite=suite.hash,
        encoder=encoder.identity,
        encoder_name=encoder.name,
        notice=encoder.notice,
        threshold=limit,
        threshold_source="metrics.json" if threshold is None else "given",
        level=level,
        **_over_all(characters, level, seed),
        characters=characters,
        images=tuple(scored.values()),
        missing=tuple(sorted(missing, key=lambda one: one.key)),
        leaks=against.leaks(),
        duplicates=yardstick.duplicates,
    )


@dataclass(frozen=True, eq=False)
class _Against:
    """Images against all references: `pairs` (n, r) in the order of `pictures` and of the suite."""

    yardstick: Yardstick
    pictures: dict[Key, Picture]
    pairs: NDArray[np.float32]
    limit: float

    @property
    def keys(self) -> set[Key]:
        return set(self.pictures)

    @property
    def copies(self) -> NDArray[np.bool_]:
        """(n, r) where an image is a reference."""
        hashes = np.array([picture.sha256 for picture in self.pictures.values()], dtype=str)
        references = np.array([reference.sha256 for reference in self.yardstick.references], dtype=str)
        return np.asarray((self.pairs < COPY) | (hashes[:, None] == references))

    def leaks(self) -> tuple[Leak, ...]:
        keys = list(self.pictures)
        return tuple(
            Leak(keys[image], self.yardstick.references[of].name, float(self.pairs[image, of]))
            for image, of in np.argwhere(self.copies).tolist()
        )

    def scores(self) -> dict[Key, ImageScore]:
        """Those that have a reference that is not themselves."""
        counted = ~self.copies
        means = self.yardstick.means(self.pairs, counted)
        rates = self.yardstick.means(self.pairs <= np.float32(self.limit), counted)
        scores = {}
        for row, (key, picture) in enumerate(self.pictures.items()):
            own = self.yardstick.names.index(key.character)
            pairs = self.pairs[row][counted[row] & (self.yardstick.owner == own)]
            if len(pairs):
                scores[key] = ImageScore(
                    key=key,
                    sha256=picture.sha256,
                    difference=float(means[row, own]),
                    same_rate=float(rates[row, own]),
                    nearest=float(pairs.min()),
                    identified=self._nearest(means[row]),
                )
        return scores

    def _nearest(self, means: Floats) -> str:
        nearest = np.flatnonzero(means == np.nanmin(means))
        return self.yardstick.names[nearest[0]] if len(nearest) == 1 else ""


def _gathered(
    suite: Suite, images: Mapping[Key, ImageSource], checkpoint: str
) -> tuple[dict[Key, Picture], list[Missing]]:
    owed = suite.keys()
    strange = set(images) - set(owed)
    if strange:
        raise SuiteError(f"{checkpoint}: the suite asks for no {tuple(min(strange))}; score each suite by itself")
    pictures: dict[Key, Picture] = {}
    missing = []
    for key in owed:
        try:
            pictures[key] = picture_of(images[key])
        except KeyError:
            missing.append(Missing(key, "not there"))
        except ImageError as error:
            missing.append(Missing(key, str(error)))
    return pictures, missing


def _embedded(
    encoder: CCIPEncoder, suite: Suite, pictures: Mapping[Key, Picture], progress: Progress | None
) -> tuple[Features, Features, dict[Key, CCIPError]]:
    report = progress or (lambda done, total: None)
    references = list(chain.from_iterable(suite.references.values()))
    total = len(references) + len(pictures)
    own = encoder.embed(references, progress=lambda done, _: report(done, total))
    found, failed = encoder.embed_readable(
        list(pictures.values()), progress=lambda done, _: report(len(references) + done, total)
    )
    keys = list(pictures)
    return own, found, {keys[index]: error for index, error in failed.items()}


def _of_character(
    name: str, at: int, scored: Mapping[Key, ImageScore], missing: list[Missing], yardstick: Yardstick
) -> CharacterScore:
    own = [image for key, image in scored.items() if key.character == name]
    same_rate = _mean([image.same_rate for image in own])
    ceiling, floor = yardstick.ceiling[at], yardstick.floor[at]
    alone = len(yardstick.names) == 1
    return CharacterScore(
        character=name,
        images=len(own),
        missing=sum(one.key.character == name for one in missing),
        difference=_mean([image.difference for image in own]),
        same_rate=same_rate,
        nearest=_mean([image.nearest for image in own]),
        top1=None if alone else _mean([float(image.identified == name) for image in own]),
        reference_difference=float(ceiling[0]),
        reference_same_rate=float(ceiling[1]),
        floor_difference=None if alone else float(floor[0]),
        floor_same_rate=None if alone else float(floor[1]),
        same_ratio=_ratio(same_rate, float(ceiling[1])),
    )


def _over_all(characters: tuple[CharacterScore, ...], level: float, seed: int) -> dict[str, Any]:
    """Macro means over the characters that have an image, and their intervals, in an order of their names' own."""
    there = sorted((one for one in characters if one.images), key=lambda one: one.character)
    column = {
        name: [getattr(one, name) for one in there]
        for name in ("nearest", "top1", "reference_difference", "reference_same_rate")
    }
    column |= {name: [getattr(one, name) for one in there] for name in ("floor_difference", "floor_same_rate")}
    means = {name: _mean([value for value in values if value is not None]) for name, values in column.items()}
    estimates = {
        name: estimate(np.array([getattr(one, name) for one in there]), level=level, seed=seed)[0]
        for name in ("difference", "same_rate")
    }
    ratio = _ratio(estimates["same_rate"].value, means["reference_same_rate"])
    return {**means, **estimates, "same_ratio": ratio}


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _ratio(same_rate: float | None, ceiling: float | None) -> float | None:
    return same_rate / ceiling if same_rate is not None and ceiling else None
