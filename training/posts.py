"""Danbooru-style posts: the record and its readers, which name file, line and post of anything wrong."""

import datetime
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from training.errors import UserError

RATINGS = {"g": "general", "s": "sensitive", "q": "questionable", "e": "explicit"}


@dataclass(frozen=True)
class Post:
    """One post. Tags keep Danbooru's spelling (underscores); sizes are pixels; ``created_at`` is UTC.

    ``rating`` is one of ``RATINGS``' letters; ``file_path`` is relative to the data set's folder, empty where the
    record does not name one; ``quality`` is a quality tag given by ``training.quality`` or empty.
    """

    id: int
    created_at: datetime.datetime
    score: int
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


def read_posts(path: Path) -> list[Post]:
    """All posts of a data set's folder, a ``.jsonl`` file, or a ``.json`` file (a record, a list, waifuc's sidecar).

    Raises:
        UserError: file missing, no JSON, a field missing or wrong, an id twice; names file, line and post id.
    """
    file = path / "posts.jsonl" if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"{file} is missing: make the data set with `python -m training dataset demo --out FOLDER`")
    posts: dict[int, Post] = {}
    for where, record in _records(file):
        post = parse_post(record, where)
        if post.id in posts:
            raise UserError(f"{where}, post {post.id}: this id came before; ids must be unique")
        posts[post.id] = post
    return list(posts.values())


def parse_post(record: object, where: str) -> Post:
    """A validated Post from a decoded JSON record; ``where`` (file and line) opens every error message.

    Raises:
        UserError: a field is missing or wrong.
    """
    if not isinstance(record, Mapping):
        raise UserError(f"{where}: a post must be a JSON object, found {type(record).__name__}")
    fields = _Fields(record, f"{where}, post {record.get('id', 'without id')}")
    return Post(
        id=fields.integer("id", least=1),
        created_at=fields.moment("created_at"),
        score=fields.integer("score"),
        fav_count=fields.integer("fav_count", least=0),
        rating=fields.rating("rating"),
        image_width=fields.integer("image_width", least=1),
        image_height=fields.integer("image_height", least=1),
        file_ext=fields.text("file_ext"),
        md5=fields.text("md5"),
        file_path=fields.relative_path("file_path"),
        source=fields.text("source"),
        general=fields.tags("tag_string_general"),
        character=fields.tags("tag_string_character"),
        copyright=fields.tags("tag_string_copyright"),
        artist=fields.tags("tag_string_artist"),
        meta=fields.tags("tag_string_meta"),
    )


def _records(file: Path) -> Iterator[tuple[str, object]]:
    if file.suffix != ".json":
        for number, line in enumerate(_text(file).split("\n"), 1):
            if line.strip():
                yield f"{file} line {number}", _decode(line, f"{file} line {number}")
        return
    content = _decode(_text(file), str(file))
    for record in content if isinstance(content, list) else [content]:
        sidecar = isinstance(record, Mapping) and "danbooru" in record
        yield str(file), record["danbooru"] if sidecar else record


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not UTF-8 text at byte {error.start}: save it as UTF-8") from error


def _decode(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: not JSON ({error.msg} at column {error.colno})") from error


@dataclass(frozen=True)
class _Fields:
    """Typed access to a record's fields; every error starts with ``where``."""

    record: Mapping[str, Any]
    where: str

    def _get(self, name: str, kind: type) -> Any:
        if name not in self.record:
            raise UserError(f"{self.where}: field {name!r} is missing")
        value = self.record[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise UserError(f"{self.where}: field {name!r} must be {kind.__name__}, found {value!r}")
        return value

    def integer(self, name: str, least: int | None = None) -> int:
        value: int = self._get(name, int)
        if least is not None and value < least:
            raise UserError(f"{self.where}: field {name!r} must be at least {least}, found {value}")
        return value

    def text(self, name: str) -> str:
        value: str = self._get(name, str)
        return value

    def tags(self, name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.text(name).split()))

    def rating(self, name: str) -> str:
        value = self.text(name)
        if value not in RATINGS:
            raise UserError(f"{self.where}: field {name!r} must be one of {', '.join(RATINGS)}, found {value!r}")
        return value

    def moment(self, name: str) -> datetime.datetime:
        value = self.text(name)
        try:
            moment = datetime.datetime.fromisoformat(value)
        except ValueError as error:
            raise UserError(f"{self.where}: field {name!r} is no ISO 8601 time: {value!r}") from error
        if moment.tzinfo is None:
            raise UserError(f"{self.where}: field {name!r} has no time zone: {value!r}")
        return moment.astimezone(datetime.UTC)

    def relative_path(self, name: str) -> str:
        """Empty when the record has none; never a way out of the data set's folder."""
        if name not in self.record:
            return ""
        path = PurePosixPath(self.text(name))
        if path.is_absolute() or ".." in path.parts:
            raise UserError(f"{self.where}: field {name!r} must lie inside the data set, found {str(path)!r}")
        return str(path)
