"""Turns the text columns of a vote file into arrays, and says where a file is wrong."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from rating.errors import OutcomeError, VoteFileError
from rating.ids import IdCollector, Ids
from rating.outcomes import parse_outcome
from rating.votes import KINDS, NOBODY, Votes

COLUMNS = ("vote", "created_at", "poll", "prompt", "voter", "seats", "outcome")
Row = Sequence[str]
MAX_SEATS = 9999
EARLIEST, LATEST = -62_135_596_800, 253_402_300_800  # the years 1 to 9999, in seconds since 1970


class Codes(dict[str, int]):
    """Numbers names in the order of their appearance."""

    def __missing__(self, name: str) -> int:
        code = self[name] = len(self)
        return code

    def of(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """The code of each text."""
        return np.fromiter(map(self.__getitem__, texts), np.int32, len(texts))


class Columns(list[Sequence[str]]):
    """The columns of some rows, all of one length."""


class Collector:
    """Takes rows in pieces and keeps them as codes: some 60 bytes a vote, whatever the length of the names."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.count = 0
        self._names: list[str] | None = None
        self._codes = {name: Codes() for name in ("poll", "prompt", "voter", "seats", "outcome")}
        self._pieces: dict[str, list[NDArray[np.int32]]] = {name: [] for name in self._codes}
        self._times: list[NDArray[np.float64]] = []
        self._ids = IdCollector()
        self._extra: dict[str, list[str]] = {}
        self._lines: list[tuple[int, Sequence[int]]] = []

    def add(self, names: list[str], lines: Sequence[int], rows: Sequence[Row]) -> None:
        """Take rows under these column names, which may become more; `lines` says where each stands."""
        if names != self._names:
            self._check_names(names, lines[0])
            self._names = names
            late = (name for name in names if name not in COLUMNS and name not in self._extra)
            self._extra |= {name: [""] * self.count for name in late}
        if not rows:
            return
        for at, row in enumerate(rows):
            if len(row) != len(names):
                raise VoteFileError(f"{self.source}, line {lines[at]}: {len(row)} values for {len(names)} columns")
        self.add_columns(lines, Columns(zip(*rows, strict=True)))

    def add_columns(self, lines: Sequence[int], texts: Columns) -> None:
        """Take rows, at least one, as columns in the order of the last names."""
        self._lines.append((self.count, lines))
        columns = dict(zip(self._names or [], texts, strict=True))
        for name, codes in self._codes.items():
            self._pieces[name].append(codes.of(columns[name]))
        self._times.append(self._moments(columns["created_at"]))
        self._ids.add(columns["vote"])
        for name, kept in self._extra.items():
            kept.extend(columns[name])
        self.count += len(texts[0])

    def votes(self) -> Votes:
        """Everything taken, checked."""
        if self._names is None:
            self._check_names([], 1)
        ids = self._checked_ids()
        column = {name: np.concatenate([np.empty(0, np.int32), *self._pieces.pop(name)]) for name in self._codes}
        contestants, shown = self._seats(column["seats"])
        kinds, placed = self._outcomes(column["outcome"], column["seats"], shown)
        polls, poll = _sorted(self._codes["poll"], column.pop("poll"))
        prompts, prompt = _sorted(self._codes["prompt"], column.pop("prompt"))
        voters, voter = _sorted(self._codes["voter"], column.pop("voter"))
        if "" in self._codes["poll"]:
            raise self._error(int(np.argmax(poll == NOBODY)), "poll is empty; write what kind of poll the vote is of")
        return Votes(
            contestants=contestants,
            polls=polls,
            prompts=prompts,
            voters=voters,
            seats=shown[column["seats"]],
            ranks=placed,
            kinds=kinds,
            poll=poll,
            prompt=prompt,
            voter=voter,
            times=np.concatenate([np.empty(0), *self._times]),
            ids=ids,
            extra=self._extra,
        )

    def _check_names(self, names: list[str], line: int) -> None:
        for name in COLUMNS:
            if names.count(name) != 1:
                wrong = "there is no column" if name not in names else "there are two columns"
                raise VoteFileError(f"{self.source}, line {line}: {wrong} {name!r}; needed: {', '.join(COLUMNS)}")

    def _checked_ids(self) -> Ids:
        ids = self._ids.ids()
        if not self._ids.may_repeat():
            return ids
        seen: set[str] = set()
        for at, name in enumerate(ids):
            if not name:
                raise self._error(at, "vote is empty; write a number or a name that no other vote has")
            if name in seen:
                raise self._error(at, f"vote {name!r} occurs a second time; keep one of them")
            seen.add(name)
        return ids

    def _moments(self, texts: Sequence[str]) -> NDArray[np.float64]:
        try:
            return _iso_moments(texts)
        except ValueError:
            return np.array([self._each(at, _moment, text) for at, text in enumerate(texts)], dtype=np.float64)

    def _each(self, at: int, read: Callable[[str], float], text: str) -> float:
        try:
            return read(text)
        except (ValueError, OverflowError):
            raise self._error(
                self.count + at,
                f"created_at is {text!r}; write a moment such as 2026-01-31T12:00:00Z, or seconds since 1970, "
                "of the years 1 to 9999",
            ) from None

    def _seats(self, column: NDArray[np.int32]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
        """The contestants' names, and for each distinct text of seats who sat where (-1 beyond)."""
        texts = [text.split("|") for text in self._codes["seats"]]
        for code, seats in enumerate(texts):
            if wrong := _wrong_seats(seats):
                raise self._error(int(np.argmax(column == code)), wrong)
        names = tuple(sorted({seat for seats in texts for seat in seats}))
        place = {name: at for at, name in enumerate(names)}
        shown = np.full((len(texts), max(map(len, texts), default=0)), NOBODY, np.int32)
        for code, seats in enumerate(texts):
            shown[code, : len(seats)] = [place[seat] for seat in seats]
        return names, shown

    def _outcomes(
        self, outcome: NDArray[np.int32], seats: NDArray[np.int32], shown: NDArray[np.int32]
    ) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
        """Kind and ranks of each vote; each text is parsed once for each number of seats."""
        seated = np.count_nonzero(shown >= 0, axis=1)
        sizes, of_size = np.unique(seated, return_inverse=True)
        # Which outcome on how many seats, in one small number.
        case = outcome * np.int32(max(len(sizes), 1)) + of_size.astype(np.int32)[seats]
        cases = np.flatnonzero(np.bincount(case))
        texts = list(self._codes["outcome"])
        kinds = np.empty(len(cases), np.int8)
        ranks = np.full((len(cases), shown.shape[1]), NOBODY, np.int16)
        for at, (text, size) in enumerate(zip(*divmod(cases, max(len(sizes), 1)), strict=True)):
            try:
                parsed = parse_outcome(texts[text], int(sizes[size]))
            except OutcomeError as error:
                raise self._error(int(np.argmax(case == cases[at])), str(error)) from None
            kinds[at] = KINDS.index(parsed.kind)
            ranks[at, : len(parsed.ranks)] = parsed.ranks
        which = np.zeros(cases.max(initial=0) + 1, np.int32)
        which[cases] = np.arange(len(cases))
        case = which[case]
        return kinds[case], ranks[case]

    def _error(self, row: int, what: str) -> VoteFileError:
        begin, lines = self._lines[bisect_right(self._lines, row, key=lambda piece: piece[0]) - 1]
        return VoteFileError(f"{self.source}, line {lines[row - begin]}: {what}")


def _wrong_seats(seats: list[str]) -> str:
    if len(seats) < 2:
        return f"seats is {seats[0]!r}: a vote compares at least two contestants, joined by |"
    if "" in seats:
        return f"seats is {'|'.join(seats)!r}: a contestant has no name"
    if any(seat != seat.strip() for seat in seats):
        return f"seats is {'|'.join(seats)!r}: a contestant's name starts or ends with a blank; take it away"
    if len(set(seats)) < len(seats):
        return f"contestant {next(seat for seat in seats if seats.count(seat) > 1)!r} is seated twice"
    return f"{len(seats)} seats; at most {MAX_SEATS - 1} are allowed" if len(seats) >= MAX_SEATS else ""


def _sorted(codes: Codes, column: NDArray[np.int32]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Names in sorted order, and the column recoded to them; the empty name is nobody."""
    names = tuple(sorted(set(codes) - {""}))
    place = {name: at for at, name in enumerate(names)} | {"": NOBODY}
    return names, np.array([place[name] for name in codes], dtype=np.int32)[column]


def _iso_moments(texts: Sequence[str]) -> NDArray[np.float64]:
    """Seconds since 1970 of ISO texts that all end alike or name no zone, in one go; ValueError for any others."""
    ending = next((ending for ending in ("Z", "+00:00") if texts[0].endswith(ending)), "")
    if not all(map(str.endswith, texts, repeat(ending))):
        raise ValueError
    texts = [text[: -len(ending)] for text in texts] if ending else texts
    # numpy takes digits for a year, and zones with a warning: let it see neither.
    signs, joined = {text[4:14:3] for text in texts}, "".join(texts)
    if signs - {"--T:", "-- :"} or joined.count("-") > 2 * len(texts) or "+" in joined or "Z" in joined:
        raise ValueError
    moments = np.array(texts, dtype="datetime64[us]")
    seconds = np.asarray(moments.astype(np.int64) / 1e6)
    if not ((seconds >= EARLIEST) & (seconds < LATEST)).all():
        raise ValueError
    return seconds


def _moment(text: str) -> float:
    """Seconds since 1970 of a number, or of an ISO moment (UTC where it names no zone). Raises ValueError.

    Numbers come first: 17040630000 would also be the night of 1704-06-30.
    """
    try:
        seconds = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if "_" in text or not text.isascii() or not EARLIEST <= seconds < LATEST:
        raise ValueError
    return seconds
