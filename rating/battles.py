"""Reads battles as LMArena and its like publish them (model_a, model_b, winner) as votes (docs/vote-file.md)."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from rating.columns import COLUMNS, Columns
from rating.errors import VoteFileError
from rating.votefile import Chunk, chunks, collected
from rating.votes import Votes

NEEDED = ("model_a", "model_b", "winner")
OUTCOMES = {
    "model_a": "1",
    "model_b": "2",
    "tie": "1=2",
    "tie (bothbad)": "bad",
    "both_bad": "bad",
}
POLL = "battle"
# The first of these columns that a file has says who voted, on what, and when.
VOTER = ("judge", "judge_hash", "voter", "user_id")
PROMPT = ("question_id", "prompt_id", "prompt")
MOMENT = ("tstamp", "timestamp", "created_at")
KNOWN_NAMES = "anony"


def read_either(path: Path, *, progress: Callable[[int], None] | None = None) -> Votes:
    """Read battles where the columns are theirs, and a vote file otherwise; the file, opened once, may be a pipe.

    Raises VoteFileError as `read_battles` and `read_votes` do.
    """
    return collected(path, _either(path), progress)


def _either(path: Path) -> Iterator[Chunk]:
    pieces = _pieces(path, NEEDED, COLUMNS)
    first = next(pieces)
    pieces = chain([first], pieces)
    yield from _as_votes(path, pieces) if set(NEEDED) <= set(first[0]) else pieces


def read_battles(path: Path, *, progress: Callable[[int], None] | None = None) -> Votes:
    """Read battles from .csv, .jsonl, .parquet, or .json with one list: a duel each, numbered in their order.

    "tie (bothbad)" is no tie: all seats are bad. A battle whose voter knew the names (`anony` is false) is not blind
    and becomes a skip. Without a time, battles are a second apart since 1970. Raises VoteFileError naming file, line
    and remedy.
    """
    return collected(path, _as_votes(path, _pieces(path, NEEDED)), progress)


def _pieces(path: Path, *forms: Sequence[str]) -> Iterator[Chunk]:
    return _json(path) if path.suffix.lower() == ".json" else chunks(path, *forms)


def _json(path: Path) -> Iterator[Chunk]:
    """A list of objects; an item's number stands for its line."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, RecursionError) as error:
        raise VoteFileError(f"{path}: not JSON: {error}") from error
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise VoteFileError(f"{path}: expected a list of objects with {', '.join(NEEDED)}")
    used = (*NEEDED, *VOTER, *PROMPT, *MOMENT, KNOWN_NAMES)
    names = [name for name in used if name in NEEDED or any(name in item for item in found)]
    rows = [[_text(item.get(name, "")) for name in names] for item in found]
    yield names, range(1, max(2, len(rows) + 1)), rows


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _as_votes(path: Path, battles: Iterable[Chunk]) -> Iterator[Chunk]:
    """The battles' rows under the columns of a vote file."""
    yield list(COLUMNS), [1], []
    count = 0
    for names, lines, part in battles:
        for name in NEEDED:
            if names.count(name) != 1:
                raise VoteFileError(
                    f"{path}, line {lines[0]}: there is no column {name!r}; needed: {', '.join(NEEDED)}"
                )
        rows: Sequence[Sequence[str]] = list(zip(*part, strict=True)) if isinstance(part, Columns) else part
        votes = []
        for line, row in zip(lines, rows, strict=False):
            if len(row) != len(names):
                raise VoteFileError(f"{path}, line {line}: {len(row)} values for {len(names)} columns")
            count += 1
            votes.append(_vote(path, line, count, dict(zip(names, row, strict=True))))
        if votes:
            yield list(COLUMNS), lines, votes


def _vote(path: Path, line: int, number: int, battle: dict[str, str]) -> list[str]:
    for name in ("model_a", "model_b"):
        if "|" in battle[name]:
            raise VoteFileError(f"{path}, line {line}: {name} is {battle[name]!r}; a | joins names, take it out")
    winner = battle["winner"].strip()
    if winner not in OUTCOMES:
        raise VoteFileError(f"{path}, line {line}: winner is {winner!r}; known: {', '.join(OUTCOMES)}")
    blind = battle.get(KNOWN_NAMES, "").strip().lower() not in {"false", "0", "no"}
    return [
        str(number),
        _first(battle, MOMENT) or str(number),
        battle.get("poll") or POLL,
        _first(battle, PROMPT),
        _first(battle, VOTER),
        f"{battle['model_a']}|{battle['model_b']}",
        OUTCOMES[winner] if blind else "skip",
    ]


def _first(battle: dict[str, str], names: Sequence[str]) -> str:
    return next((battle[name] for name in names if battle.get(name)), "")
