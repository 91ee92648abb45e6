"""Posts in one JSON file: a record, a list of any length read along the way, waifuc's sidecar, or lines after all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from training.parts import BOM, BadRecord, Record, decoded, of_whole_characters

NOT_TEXT = "not UTF-8 text: save it as UTF-8"
BLOCK = 2**20  # characters read at a time
LONGEST = 16 * BLOCK  # of a record; one that is broken would otherwise be looked for in all the rest
_BLANKS = re.compile(r"[ \t\r\n]*")
_NO_TEXT = re.compile("[\udc80-\udcff]")  # as what a byte that is no UTF-8 is read


@dataclass(frozen=True)
class JsonFile:
    """A record, a list of them, or the sidecar that waifuc writes beside an image."""

    file: Path

    def __str__(self) -> str:
        return str(self.file)

    def records(self) -> Iterator[Record]:
        """The records of the file; of a list only as much as a block and a record is in memory."""
        with self.file.open("rb") as stream:
            is_list = _first_character(stream.read(BLOCK)) == b"["
        if not is_list:
            content = decoded(self.file.read_bytes())
            yield str(self.file), content["danbooru"] if _is_sidecar(content) else content
            return
        with self.file.open(encoding="utf-8-sig", errors="surrogateescape") as text:
            for number, record in enumerate(_elements(text), 1):
                yield f"{self.file} record {number}", record["danbooru"] if _is_sidecar(record) else record


def has_lines(file: Path) -> bool:
    """Whether a file holds a JSON object on its first line and something after it, as dumps of posts often do."""
    with file.open("rb") as stream:
        first = stream.readline(BLOCK)
        return bool(first.strip()) and isinstance(decoded(first), Mapping) and bool(stream.read(BLOCK).strip())


def _first_character(data: bytes) -> bytes:
    return data.removeprefix(BOM).lstrip()[:1]


def _is_sidecar(record: object) -> bool:
    return isinstance(record, Mapping) and "danbooru" in record


def _elements(stream: TextIO) -> Iterator[Any]:
    """The elements of a JSON list; where it is broken the error stands for all that would follow."""
    elements = _Elements(stream)
    try:
        yield from elements
    except json.JSONDecodeError as error:
        yield BadRecord(f"not JSON ({error.msg}); what follows is lost")
    except RecursionError:
        yield BadRecord("not JSON that can be read: brackets within brackets, too deep; what follows is lost")


class _Elements:
    """Walks a list; holds the block that it is in, and where in it."""

    def __init__(self, stream: TextIO) -> None:
        self._blocks = iter(lambda: stream.read(BLOCK), "")
        self._text, self._at = "", 0
        self._decoder = json.JSONDecoder()

    def __iter__(self) -> Iterator[Any]:
        self._take("[")
        if self._peek() == "]":
            self._take("]")
        else:
            yield self._element()
            while self._take(",]") == ",":
                yield self._element()
        if self._peek():
            raise self._error("something stands after the list")

    def _error(self, problem: str) -> json.JSONDecodeError:
        return json.JSONDecodeError(problem, self._text, self._at)

    def _more(self) -> bool:
        """Read a block behind what is left of the last; whether there was one."""
        block = next(self._blocks, "")
        self._text, self._at = self._text[self._at :] + block, 0
        return bool(block)

    def _peek(self) -> str:
        """The next character that is not blank, empty at the end."""
        while True:
            self._at = _BLANKS.match(self._text, self._at).end()  # type: ignore[union-attr]  # it matches nothing, too
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def _take(self, wanted: str) -> str:
        found = self._peek()
        if not found or found not in wanted:
            raise self._error(f"{' or '.join(wanted)} expected, found {repr(found) if found else 'the end'}")
        self._at += 1
        return found

    def _element(self) -> Any:
        """The next value, decoded once all of it was read."""
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
                whole = end < len(self._text)  # at the very end of a block a number might go on
            except json.JSONDecodeError:
                whole = False
                if len(self._text) - self._at > LONGEST:
                    raise
            if whole or not self._more():
                break
        value, end = self._decoder.raw_decode(self._text, self._at)
        raw, self._at = self._text[self._at : end], end
        if _NO_TEXT.search(raw):
            return of_whole_characters(value, NOT_TEXT)
        return of_whole_characters(value) if "\\ud" in raw.lower() else value
