"""The score of a checkpoint as it is kept: by image, by character, and over all characters."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from rating.ccip.errors import MissingFileError, ReportError
from rating.ccip.intervals import Estimate
from rating.ccip.suite import Key

FORMAT = "ccip-score/1"


@dataclass(frozen=True)
class ImageScore:
    """An image against the references of its character.

    `difference` mean and `nearest` least difference in [0, 1], `same_rate` share of references within the threshold,
    `identified` the character whose references are nearest on average, "" where two are equally near.
    """

    key: Key
    sha256: str
    difference: float
    same_rate: float
    nearest: float
    identified: str


@dataclass(frozen=True)
class CharacterScore:
    """Means over a character's images, None where none could be scored, beside what its references get themselves.

    `reference_…` is the ceiling: each reference against the others. `floor_…`: the references of all other characters
    against this one's; None where there are no others. `same_ratio` is same_rate / reference_same_rate, `top1` the
    share of images that were identified.
    """

    character: str
    images: int
    missing: int
    difference: float | None
    same_rate: float | None
    nearest: float | None
    top1: float | None
    reference_difference: float
    reference_same_rate: float
    floor_difference: float | None
    floor_same_rate: float | None
    same_ratio: float | None


@dataclass(frozen=True)
class Missing:
    """An image that a checkpoint owes and does not have, or that could not be scored."""

    key: Key
    reason: str


@dataclass(frozen=True)
class Leak:
    """An image that is a reference, or as good as one; that pair was left out of its score."""

    key: Key
    reference: str
    difference: float


@dataclass(frozen=True)
class Duplicate:
    """Two references that are one image; they raise the ceiling."""

    one: str
    other: str
    difference: float


@dataclass(frozen=True)
class CheckpointScore:
    """Macro means over characters: each counts the same, however many images it has.

    `suite` and `encoder` are hashes: scores with others of these are not comparable. `threshold_source` is
    "metrics.json" or "given". Ceiling, floor and ratio are means over the characters that were scored.
    """

    checkpoint: str
    suite: str
    encoder: str
    encoder_name: str
    notice: str
    threshold: float
    threshold_source: str
    level: float
    difference: Estimate
    same_rate: Estimate
    nearest: float
    top1: float | None
    reference_difference: float
    reference_same_rate: float
    floor_difference: float | None
    floor_same_rate: float | None
    same_ratio: float | None
    characters: tuple[CharacterScore, ...]
    images: tuple[ImageScore, ...]
    missing: tuple[Missing, ...]
    leaks: tuple[Leak, ...]
    duplicates: tuple[Duplicate, ...]

    @property
    def complete(self) -> bool:
        """Whether every image that the suite asks for was scored."""
        return not self.missing

    def worst(self, character: str, count: int) -> tuple[ImageScore, ...]:
        """The images of a character that are least like it, the worst first."""
        own = [image for image in self.images if image.key.character == character]
        return tuple(sorted(own, key=lambda image: (-image.difference, image.key))[:count])

    def _check_numbers(self) -> None:
        """Raise TypeError for an image without the numbers that a comparison needs."""
        for image in self.images:
            for number in (image.difference, image.same_rate, image.nearest):
                if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 1:
                    raise TypeError(f"{tuple(image.key)} has {number!r} for a number from 0 to 1")

    def to_json(self) -> dict[str, Any]:
        """What `json.dumps` takes and `from_json` reads."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Raises ReportError for what is no score."""
        if content.get("format") != FORMAT:
            raise ReportError(
                f"a score of format {content.get('format')!r}; this version reads {FORMAT!r}, from `score --out`"
            )
        values = {name: value for name, value in content.items() if name != "format"}
        try:
            values |= {name: Estimate(**values[name]) for name in ("difference", "same_rate")}
            values["characters"] = tuple(CharacterScore(**one) for one in values["characters"])
            for name, kind in (("images", ImageScore), ("missing", Missing), ("leaks", Leak)):
                values[name] = tuple(kind(**{**one, "key": Key(*one["key"])}) for one in values[name])
            values["duplicates"] = tuple(Duplicate(**one) for one in values["duplicates"])
            found = cls(**values)
            found._check_numbers()
            return found
        except (KeyError, TypeError, AttributeError) as error:
            raise ReportError(f"a damaged score ({error!r}); score the checkpoint again") from error


def read_score(path: Path) -> CheckpointScore:
    """Raises MissingFileError or ReportError, naming the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ReportError("no JSON object")
        return CheckpointScore.from_json(content)
    except FileNotFoundError as error:
        raise MissingFileError(f"the score {path} is not there; `score --out DIR` writes such files") from error
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror or error}; give what `score --out` wrote") from error
    except ValueError as error:
        raise ReportError(f"{path}: {error}") from error


def write_score(score: CheckpointScore, path: Path) -> None:
    """Whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(
        json.dumps(score.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )
    partial.replace(path)
