"""What a checkpoint is asked for, and what its images are held against: characters x prompts x seeds, with a hash."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from rating.ccip.errors import CCIPError, MissingFileError, SuiteError
from rating.ccip.pictures import ImageSource, Picture, picture_of

FORMAT = "ccip-suite/1"
FEWEST_REFERENCES = 2  # leave one out, and one is left


class Key(NamedTuple):
    """Which image: of a character, by the name of a prompt, with a seed."""

    character: str
    prompt: str
    seed: int


@dataclass(frozen=True)
class SuiteCharacter:
    """A character and images of it that no checkpoint rendered; five or more are wise, two the least."""

    name: str
    references: tuple[ImageSource, ...]


@dataclass(frozen=True)
class Suite:
    """`prompts` are templates by name, `recipe` whatever else is the same for every checkpoint (sampler, steps, size).

    Raises SuiteError for a suite without characters, prompts or seeds, a name or seed that stands twice, or a
    character with fewer than two references.
    """

    characters: tuple[SuiteCharacter, ...]
    prompts: Mapping[str, str]
    seeds: tuple[int, ...]
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [character.name for character in self.characters]
        for what, values in (("characters", names), ("prompts", list(self.prompts)), ("seeds", list(self.seeds))):
            if not values:
                raise SuiteError(f"a suite without {what} asks for no image")
            if len(set(values)) < len(values):
                raise SuiteError(f"the suite's {what} name one twice: {_twice(values)!r}")
        for character in self.characters:
            if len(character.references) < FEWEST_REFERENCES:
                raise SuiteError(
                    f"{character.name!r} has {len(character.references)} reference images; "
                    f"give {FEWEST_REFERENCES} or more, better 5"
                )

    def keys(self) -> tuple[Key, ...]:
        """Every image that a checkpoint owes: characters, then prompts, then seeds."""
        names = [character.name for character in self.characters]
        return tuple(Key(*one) for one in product(names, self.prompts, self.seeds))

    @cached_property
    def references(self) -> dict[str, tuple[Picture, ...]]:
        """By character, read and hashed but not decoded. Raises ImageError for one that cannot be read."""
        return {one.name: tuple(picture_of(reference) for reference in one.references) for one in self.characters}

    @cached_property
    def hash(self) -> str:
        """64 hex digits of names, the references' bytes, prompts, seeds and recipe; neither order nor place matters.

        Raises ImageError for a reference that cannot be read.
        """
        content = {
            "format": FORMAT,
            "characters": {name: sorted(one.sha256 for one in own) for name, own in self.references.items()},
            "prompts": dict(self.prompts),
            "seeds": sorted(self.seeds),
            "recipe": dict(self.recipe),
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


def read_suite(path: Path) -> Suite:
    """A suite file: JSON of this class with `format`; references are paths relative to the file (docs/ccip.md).

    Raises MissingFileError for a file that is not there, SuiteError for what is missing in it or of another kind.
    """
    content = _content(path)
    if content.get("format") != FORMAT:
        raise SuiteError(f"{path} is of format {content.get('format')!r}; this version reads {FORMAT!r}")
    unknown = set(content) - {"format", "characters", "prompts", "seeds", "recipe"}
    if unknown:
        raise SuiteError(f"{path}: {sorted(unknown)} is not understood")
    try:
        characters = tuple(_character(path, *one) for one in dict(content["characters"]).items())
        prompts = {str(name): str(text) for name, text in dict(content["prompts"]).items()}
        seeds = tuple(_seed(seed) for seed in content["seeds"])
        recipe = dict(content.get("recipe", {}))
    except CCIPError:
        raise  # it is a ValueError, too
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SuiteError(f"{path}: needs characters, prompts and seeds as in docs/ccip.md ({error!r})") from error
    return Suite(characters, prompts, seeds, recipe)


def _character(path: Path, name: str, references: list[str]) -> SuiteCharacter:
    if not isinstance(references, list):
        raise TypeError(f"the references of {name!r} are no list")
    files = tuple(path.parent / str(reference) for reference in references)
    for file in files:
        if not file.is_file():
            raise MissingFileError(
                f"{path}: the reference {file} of {name!r} is missing; its path is read as relative to the suite"
            )
    return SuiteCharacter(name, files)


def _seed(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"the seed {value!r} is no whole number")
    return value


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON itself lets a name stand twice, and the last one win."""
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"{_twice(names)!r} stands twice")
    return dict(pairs)


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except FileNotFoundError as error:
        raise MissingFileError(f"the suite {path} is not there; give a suite.json as in docs/ccip.md") from error
    except OSError as error:
        raise SuiteError(
            f"the suite {path} cannot be read: {error.strerror or error}; give a suite.json as in docs/ccip.md"
        ) from error
    except ValueError as error:
        raise SuiteError(f"the suite {path} is no JSON ({error}); write it as in docs/ccip.md") from error
    if not isinstance(content, dict):
        raise SuiteError(f"the suite {path} must hold a JSON object, as in docs/ccip.md")
    return content


def _twice(values: list[Any]) -> Any:
    return next(value for value in values if values.count(value) > 1)
