"""What a picture's bytes hash to, remembered between runs, so that a data set is read for it only once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from training.errors import UserError, writing
from training.folder import Pictures
from training.posts import Post

FILE = "digests.jsonl"


class Digests:
    """SHA-256 of pictures; ``<folder>/digests.jsonl`` remembers them by path, place, size and time of change.

    A file that was changed has another size or time and is read again, as git does with its index.
    """

    def __init__(self, folder: Path) -> None:
        """Raises UserError where the file is damaged."""
        self._file = folder / FILE
        self._known: dict[str, str] = {}
        try:
            text = self._file.read_text("utf-8") if self._file.exists() else ""
            # A kill may have left half a line at the end: it is worked out again, and the next one begins below it.
            self._known = dict(json.loads(line) for line in text.splitlines() if line.endswith("]"))
            self._begin = "" if text.endswith("\n") else "\n"
        except ValueError as error:
            raise UserError(f"{self._file} is damaged ({error}): delete it, it will be made again") from error

    def of(self, pictures: Pictures, post: Post) -> str:
        """The digest of a post's picture. Raises UserError naming the post where it cannot be read."""
        file = pictures.file(post)
        try:
            found = file.stat()
        except OSError as error:
            raise UserError(f"cannot read the image of post {post.id}: {error}; make the data set again") from error
        stamp = f"{file.resolve()}:{post.shard_offset}:{found.st_size}:{found.st_mtime_ns}"
        if stamp not in self._known:
            self._known[stamp] = hashlib.sha256(pictures.data(post)).hexdigest()
            self._remember(json.dumps([stamp, self._known[stamp]]))
        return self._known[stamp]

    def _remember(self, line: str) -> None:
        with writing(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as lines:
                lines.write(f"{self._begin}{line}\n")
        self._begin = ""
