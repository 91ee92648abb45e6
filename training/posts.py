"""Danbooru-style posts: the record and its parser, which names place, post and field of anything wrong."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from sys import intern
from typing import Any

from generation.tags import RATINGS
from training.errors import UserError


@dataclass(frozen=True)
class Post:
    """One post. Tags keep Danbooru's spelling (underscores); sizes are pixels; ``created_at`` is UTC.

    Attributes:
        created_at, score: None where a lenient reader met a record without them.
        rating: one of `generation.tags.RATINGS`' letters; empty where a lenient reader met none.
        file_path: relative to the data set's folder, empty where the record does not name one.
        quality: a quality tag given by `training.quality`, or empty.
        texts: natural-language captions; none, one or several.
        register: the string of the post's outlier cluster (`training.stages.register_tokens`), or empty.
        synthetic: rendered by a checkpoint (`training.synthetic`), not drawn by a person.
        shard, shard_offset, shard_bytes: where a prepared set keeps the image: a tar file, relative to the set, and the
            bytes of it; empty where the image lies at ``file_path``.
        sheets: the tags laid out, kept by `training.sheets.arrange`.
    """

    id: int
    created_at: datetime.datetime | None
    score: int | None
    fav_count: int
    rating: str
    image_width: int
    image_height: int
    file_ext: str
    md5: str
    file_path: str
    source: str
    general: tuple[str, ...]
    character: tuple[str, ...]
    copyright: tuple[str, ...]
    artist: tuple[str, ...]
    meta: tuple[str, ...]
    quality: str = ""
    texts: tuple[str, ...] = ()
    register: str = ""
    synthetic: bool = False
    shard: str = ""
    shard_offset: int = 0
    shard_bytes: int = 0
    sheets: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def tags(self) -> tuple[str, ...]:
        """All tags, category by category."""
        return (*self.general, *self.character, *self.copyright, *self.artist, *self.meta)


MOST = 2**63 - 1  # what 64 bits hold
Report = Callable[[str], None]


def parse_post(record: object, where: str, report: Report | None = None) -> Post:
    """A validated Post from a decoded record; ``where`` (file and line) opens every error message.

    With ``report``, a missing or wrong date, score, rating, tag list or text is reported and left out of the post
    instead of being an error.

    Raises:
        UserError: a field is missing or wrong.
    """
    if not isinstance(record, Mapping):
        raise UserError(f"{where}: a post must be a JSON object, found {type(record).__name__}")
    fields = _Fields(record, f"{where}, post {record.get('id', 'without id')}", report)
    return Post(
        id=fields.integer("id", least=1),
        created_at=fields.or_else("created_at", fields.moment, None),
        score=fields.or_else("score", fields.integer, None),
        fav_count=fields.or_else("fav_count", fields.natural, 0),
        rating=fields.or_else("rating", fields.rating, ""),
        image_width=fields.integer("image_width", least=1),
        image_height=fields.integer("image_height", least=1),
        file_ext=fields.text("file_ext"),
        md5=fields.or_else("md5", fields.word, ""),
        file_path=fields.relative_path("file_path"),
        source=fields.or_else("source", fields.word, ""),
        general=fields.or_else("tag_string_general", fields.tags, ()),
        character=fields.or_else("tag_string_character", fields.tags, ()),
        copyright=fields.or_else("tag_string_copyright", fields.tags, ()),
        artist=fields.or_else("tag_string_artist", fields.tags, ()),
        meta=fields.or_else("tag_string_meta", fields.tags, ()),
        quality=fields.or_else("quality", fields.word, ""),
        texts=fields.or_else("texts", fields.lines, ()),
        register=fields.or_else("register", fields.word, ""),
        synthetic=fields.or_else("synthetic", fields.flag, False),
        shard=fields.relative_path("shard"),
        shard_offset=fields.given("shard_offset", int, 0),
        shard_bytes=fields.given("shard_bytes", int, 0),
    )


def to_record(post: Post) -> dict[str, object]:
    """The post as a record that `parse_post` reads back; what a record may lack is left out where it is empty."""
    record: dict[str, object] = {
        "id": post.id,
        "created_at": None if post.created_at is None else post.created_at.isoformat(timespec="milliseconds"),
        **{name: getattr(post, name) for name in _PLAIN},
        **{f"tag_string_{name}": " ".join(getattr(post, name)) for name in CATEGORIES},
        "quality": post.quality,
        "texts": list(post.texts),
        "register": post.register,
        "synthetic": post.synthetic,
        "shard": post.shard,
        "shard_offset": post.shard_offset,
        "shard_bytes": post.shard_bytes,
    }
    return {name: value for name, value in record.items() if name not in _OPTIONAL or value}


CATEGORIES = ("general", "character", "copyright", "artist", "meta")
_PLAIN = (
    "score", "fav_count", "rating", "image_width", "image_height", "file_ext", "md5", "file_path", "source",
)  # fmt: skip
_OPTIONAL = frozenset(
    {"quality", "texts", "register", "synthetic", "file_path", "shard", "shard_offset", "shard_bytes"}
)


@dataclass(frozen=True)
class _Fields:
    """Typed access to a record's fields; every error starts with ``where``."""

    record: Mapping[str, Any]
    where: str
    report: Report | None = None

    def or_else(self, name: str, read: Callable[[str], Any], default: Any) -> Any:
        """``read(name)``; if there is somebody to report to, what is wrong goes there and ``default`` stands for it."""
        if self.report is None:
            return read(name)
        try:
            return read(name)
        except UserError as error:
            self.report(str(error).removeprefix(f"{self.where}: "))
            return default

    def given(self, name: str, kind: type, default: Any) -> Any:
        """The field, or ``default`` where the record has none."""
        return default if self.record.get(name) is None else self._get(name, kind)

    def _get(self, name: str, kind: type) -> Any:
        if name not in self.record:
            raise UserError(f"{self.where}: field {name!r} is missing")
        value = self.record[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UserError(f"{self.where}: field {name!r} must be {kind.__name__}, found {value!r}")
        return value

    def integer(self, name: str, least: int | None = None) -> int:
        value: int = self._get(name, int)
        if least is not None and value < least:
            raise UserError(f"{self.where}: field {name!r} must be at least {least}, found {value}")
        if abs(value) > MOST:
            raise UserError(f"{self.where}: field {name!r} must be at most {MOST}, found {value}")
        return value

    def natural(self, name: str) -> int:
        return self.integer(name, least=0)

    def text(self, name: str) -> str:
        value: str = self._get(name, str)
        return value

    def tags(self, name: str) -> tuple[str, ...]:
        text = self.text(name)
        # One object for a tag in all posts: a tenth of the memory, and found by identity wherever it is looked up.
        found = tuple(map(intern, dict.fromkeys(text.split())))
        return self._without_commas(name, found) if "," in text else found

    def _without_commas(self, name: str, tags: tuple[str, ...]) -> tuple[str, ...]:
        """Captions are split at commas, so a tag cannot hold one; such tags alone are left out where that is told."""
        wrong = ", ".join(repr(tag) for tag in tags if "," in tag)
        problem = f"field {name!r} has tags with a comma: {wrong}"
        if self.report is None:
            raise UserError(f"{self.where}: {problem}")
        self.report(problem)
        return tuple(tag for tag in tags if "," not in tag)

    def rating(self, name: str) -> str:
        value = self.text(name)
        if value not in RATINGS:
            raise UserError(f"{self.where}: field {name!r} must be one of {', '.join(RATINGS)}, found {value!r}")
        return value

    def moment(self, name: str) -> datetime.datetime:
        if isinstance(self.record.get(name), datetime.datetime):  # Parquet keeps times as such
            return _utc(self.record[name])
        value = self.text(name)
        try:
            moment = datetime.datetime.fromisoformat(value)
            utc = moment.astimezone(datetime.UTC)
        except (ValueError, OverflowError) as error:
            raise UserError(f"{self.where}: field {name!r} is no ISO 8601 time: {value!r}") from error
        if moment.tzinfo is None:
            raise UserError(f"{self.where}: field {name!r} has no time zone: {value!r}")
        return utc

    def word(self, name: str) -> str:
        """Empty where the record has none."""
        value: str = self.given(name, str, "")
        return value

    def flag(self, name: str) -> bool:
        """False where the record has none."""
        value: bool = self.given(name, bool, False)
        return value

    def lines(self, name: str) -> tuple[str, ...]:
        """A text or a list of them, empty where the record has none; white space within becomes single spaces."""
        found = self.record.get(name) or []
        values = [found] if isinstance(found, str) else found
        if not (isinstance(values, list) and all(isinstance(value, str) for value in values)):
            raise UserError(f"{self.where}: field {name!r} must be a text or a list of them, found {found!r}")
        return tuple(" ".join(value.split()) for value in values if value.strip())

    def relative_path(self, name: str) -> str:
        """Empty when the record has none; never a way out of the data set's folder."""
        if not self.record.get(name):
            return ""
        path = PurePosixPath(self.text(name))
        if path.is_absolute() or ".." in path.parts:
            raise UserError(f"{self.where}: field {name!r} must lie inside the data set, found {str(path)!r}")
        return str(path)


def _utc(moment: datetime.datetime) -> datetime.datetime:
    """A time without a zone, as Parquet files often have it, is UTC."""
    return moment.replace(tzinfo=datetime.UTC) if moment.tzinfo is None else moment.astimezone(datetime.UTC)
