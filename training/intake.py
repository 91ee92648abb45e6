"""Records to posts where one bad record must not end the work: every post comes with what was wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.additions import Additions
from training.errors import UserError
from training.parts import BadRecord, Part, Record
from training.posts import CATEGORIES, Post, parse_post
from training.resize import BadImage, image_size
from training.vocabulary import Vocabulary

HEADER_BYTES = 2**18  # more than any header of an image that holds a thumbnail and a colour profile


@dataclass(frozen=True)
class Intake:
    """One record: its post, or None where it cannot be one, and what is wrong; ``id`` is 0 where it has none."""

    id: int
    where: str
    post: Post | None
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Images:
    """Where the image of a post lies: ``pattern`` below ``folder``.

    The pattern's names: ``{file_path}``, ``{id}``, ``{md5}``, ``{file_ext}``, ``{md5_2}`` (its first two characters),
    ``{id_3}`` (the last three digits, four wide, as Danbooru dumps are laid out).
    """

    folder: Path
    pattern: str = "{file_path}"

    def path(self, values: Mapping[str, Any]) -> Path:
        """The file of a record or post given as a mapping. Raises UserError where the pattern asks for what is not."""
        known = {name: values.get(name) or "" for name in ("id", "md5", "file_ext", "file_path")}
        number = known["id"] if isinstance(known["id"], int) else 0
        known |= {"md5_2": str(known["md5"])[:2], "id_3": f"{number % 1000:04d}"}
        try:
            name = self.pattern.format_map(known)
        except (KeyError, ValueError, IndexError) as error:
            raise UserError(
                f"the image pattern {self.pattern!r} is wrong ({error!r}); known: {', '.join(known)}"
            ) from error
        return self.folder / name


def take_in(
    part: Part, vocabulary: Vocabulary | None, images: Images, additions: Additions | None = None
) -> Iterator[Intake]:
    """Every record of the part, in order, as a post with its problems, or as problems alone.

    A part that cannot be read to its end is one more entry, without post. Raises UserError where ``additions`` cannot
    be read.
    """
    for where, record in _to_its_end(part):
        joined = additions.joined(record) if additions and isinstance(record, Mapping) else record
        yield _take(where, joined, vocabulary, images)


def _to_its_end(part: Part) -> Iterator[Record]:
    count = 0
    try:
        for found in part.records():
            yield found
            count += 1
    except (UserError, OSError) as error:
        lost = BadRecord(f"{error}; {count} records before that were read, those after it are lost")
        yield str(part), lost


def _take(where: str, record: object, vocabulary: Vocabulary | None, images: Images) -> Intake:
    if isinstance(record, BadRecord):
        return Intake(record.post, where, None, (str(record),))
    problems: list[str] = []
    number = record.get("id") if isinstance(record, Mapping) else 0
    known = number if isinstance(number, int) else 0
    try:
        completed = _completed(record, vocabulary, images, problems) if isinstance(record, Mapping) else record
        post = parse_post(completed, where, problems.append)
    except UserError as error:
        return Intake(known, where, None, (*problems, str(error).removeprefix(f"{where}: ").removeprefix(f"{where}, ")))
    if not post.tags:
        problems.append("has no tags")
    return Intake(post.id, where, post, tuple(problems))


def _completed(
    record: Mapping[str, Any], vocabulary: Vocabulary | None, images: Images, problems: list[str]
) -> dict[str, Any]:
    """The record with what dumps leave to be found out: tags by category, the size, the extension."""
    values = dict(record)
    if not any(f"tag_string_{category}" in values for category in CATEGORIES):
        values |= _by_category(values, vocabulary, problems)
    if not (values.get("image_width") and values.get("image_height")):
        values |= _size(values, images, problems)
    values.setdefault("file_ext", Path(str(values.get("file_path", ""))).suffix[1:])
    return values


def _by_category(values: Mapping[str, Any], vocabulary: Vocabulary | None, problems: list[str]) -> dict[str, str]:
    if "tag_string" not in values:
        return {}
    if not isinstance(values["tag_string"], str):
        problems.append(f"field 'tag_string' must be str, found {values['tag_string']!r}")
        return {f"tag_string_{category}": "" for category in CATEGORIES}
    tags = values["tag_string"].split()
    if vocabulary is None:
        problems.append("has tags without categories; all count as general without a vocabulary")
    unknown: list[str] = []
    found = (vocabulary or Vocabulary()).sort(tags, unknown.append)
    if vocabulary is not None and unknown:
        problems.append(f"has tags of unknown category, taken as general: {', '.join(unknown)}")
    return {f"tag_string_{category}": " ".join(members) for category, members in found.items()}


def _size(values: Mapping[str, Any], images: Images, problems: list[str]) -> dict[str, int]:
    """Width and height from the image's header; nothing where it cannot be read, so that the parser names the field."""
    path = images.path(values)
    try:
        with path.open("rb") as file:
            width, height = image_size(file.read(HEADER_BYTES))
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        problems.append(f"has no size, and {path} cannot be read: {getattr(error, 'strerror', None) or error}")
        return {}
    except BadImage as error:
        problems.append(f"has no size, and {path} {error}")
        return {}
    return {"image_width": width, "image_height": height}
