"""Vote files: what is read is what was written, and what is wrong is named with its line."""

import csv
import json
import math
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rating.columns import COLUMNS, Collector
from rating.errors import VoteFileError
from rating.game import Game
from rating.outcomes import parse_outcome
from rating.votefile import read_votes, write_votes
from rating.votes import BAD, DRAW, PICK, RANKING, SKIP, votes_of

ROWS = [
    ["1", "2026-01-31T12:00:00Z", "fixed", "a red hat", "v1", "anna|bert", "1"],
    ["2", "2026-01-31T12:00:05Z", "fixed", "a red hat", "v2", "bert|anna", "1=2"],
    ["3", "2026-01-31T12:01:00Z", "ffa", "", "", "anna|cora|bert|dora", "2>1=4>3"],
    ["4", "2026-01-31T12:02:00Z", "ffa", "rain", "v1", "dora|cora|bert|anna", "3"],
    ["5", "2026-01-31T12:03:00Z", "ffa", "rain", "v1", "dora|cora|bert|anna", "bad"],
    ["6", "2026-01-31T12:04:00Z", "duel", "rain", "v1", "dora|cora", "skip"],
]


def written(path: Path, rows: list[list[str]], names: tuple[str, ...] = COLUMNS) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([list(names), *rows])
    return path


def changed(row: int, column: str, value: str) -> list[list[str]]:
    rows = [list(values) for values in ROWS]
    rows[row][COLUMNS.index(column)] = value
    return rows


def test_a_file_becomes_arrays(tmp_path: Path) -> None:
    votes = read_votes(written(tmp_path / "votes.csv", ROWS))
    assert votes.contestants == ("anna", "bert", "cora", "dora")
    assert votes.polls == ("duel", "ffa", "fixed")
    assert votes.voters == ("v1", "v2")
    assert votes.kinds.tolist() == [PICK, DRAW, RANKING, PICK, BAD, SKIP]
    assert votes.counted.tolist() == [True, True, True, True, False, False]
    assert votes.sizes.tolist() == [2, 2, 4, 4, 4, 2]
    assert votes.seats.tolist()[:3] == [[0, 1, -1, -1], [1, 0, -1, -1], [0, 2, 1, 3]]
    assert votes.ranks.tolist() == [
        [0, 1, -1, -1], [0, 0, -1, -1], [1, 0, 2, 1], [1, 1, 0, 1], [-1] * 4, [-1] * 4,
    ]  # fmt: skip
    assert votes.voter.tolist() == [0, 1, -1, 0, 0, 0]
    assert votes.prompt.tolist() == [0, 0, -1, 1, 1, 1]
    assert np.diff(votes.times).tolist() == [5, 55, 60, 60, 60]
    # 2026-01-31 is 20,484 days after 1970-01-01: 56 years of 365 days, 14 leap days and 30 days of January.
    assert votes.times[0] == (56 * 365 + 14 + 30) * 86_400 + 12 * 3600


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "CSV", "Jsonl", "PARQUET"])
def test_written_votes_are_read_back_with_their_other_columns(tmp_path: Path, ending: str) -> None:
    rows = [[*row, f"note, «{at}»\nsecond line"] for at, row in enumerate(ROWS)]
    votes = read_votes(written(tmp_path / "votes.csv", rows, (*COLUMNS, "note")))
    write_votes(tmp_path / f"again.{ending}", votes)
    again = read_votes(tmp_path / f"again.{ending}")
    assert again.extra == {"note": [row[-1] for row in rows]}
    assert list(again.ids) == [row[0] for row in ROWS]
    for name in ("contestants", "polls", "prompts", "voters"):
        assert getattr(again, name) == getattr(votes, name)
    for name in ("seats", "ranks", "kinds", "poll", "prompt", "voter", "times"):
        assert getattr(again, name).tolist() == getattr(votes, name).tolist(), name
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_games_and_votes_hold_the_same(tmp_path: Path) -> None:
    votes = read_votes(written(tmp_path / "votes.csv", ROWS))
    games = list(votes.games())
    assert games[2] == Game(
        ("anna", "cora", "bert", "dora"), parse_outcome("2>1=4>3", 4), "ffa", votes.times[2], voter="", prompt=""
    )
    assert list(votes_of(games).games()) == games


def test_taking_some_votes_keeps_the_codes(tmp_path: Path) -> None:
    votes = read_votes(written(tmp_path / "votes.csv", ROWS))
    some = votes.take(votes.poll == votes.polls.index("ffa"))
    assert list(some.ids) == ["3", "4", "5"]
    assert some.contestants == votes.contestants
    assert some.seats.tolist() == votes.seats[2:5].tolist()
    assert list(votes.take(np.array([5, 0])).ids) == ["6", "1"]


@pytest.mark.parametrize(
    ("row", "column", "value", "complaint"),
    [
        (3, "seats", "dora|cora|dora|anna", "line 5: contestant 'dora' is seated twice"),
        (0, "seats", "anna|anna", "line 2: contestant 'anna' is seated twice"),
        (1, "seats", "bert", "line 3: seats is 'bert': a vote compares at least two contestants"),
        (1, "seats", "", "line 3: seats is ''"),
        (1, "seats", "bert| anna", "line 3: seats is 'bert| anna': a contestant's name starts or ends with a blank"),
        (1, "seats", "bert|\u3000", "line 3: seats is 'bert|\\u3000'"),
        (1, "seats", "bert||anna", "line 3: seats is 'bert||anna': a contestant has no name"),
        (1, "outcome", "left", "line 3: outcome 'left': expected a seat number"),
        (1, "outcome", "3", "line 3: outcome '3': there is no seat 3, only 1 to 2"),
        (2, "outcome", "1>2", "line 4: outcome '1>2': seat 3 is missing"),
        (1, "outcome", "1=1", "line 3: outcome '1=1': seat 1 is named twice"),
        (4, "created_at", "nan", "line 6: created_at is 'nan'"),
        (4, "created_at", "NaT", "line 6: created_at is 'NaT'"),
        (4, "created_at", "NaTZ", "line 6: created_at is 'NaTZ'"),
        (4, "created_at", "inf", "line 6: created_at is 'inf'"),
        (4, "created_at", "", "line 6: created_at is ''"),
        (4, "created_at", "1_000", "line 6: created_at is '1_000'"),
        (4, "created_at", "١٧٠٤٠٦٧٢٠٠", "line 6: created_at is '١٧"),
        (4, "created_at", "1e308", "line 6: created_at is '1e308'"),
        (4, "created_at", "1704067200000", "line 6: created_at is '1704067200000'"),
        (4, "created_at", "17040630000000", "line 6: created_at is '17040630000000'"),
        (4, "created_at", "0000-12-31T23:59:59Z", "line 6: created_at is '0000"),
        (4, "created_at", "9999-12-31T23:59:59-01:00", "line 6: created_at is '9999"),
        (4, "created_at", "yesterday", "line 6: created_at is 'yesterday'"),
        (4, "vote", "2", "line 6: vote '2' occurs a second time"),
        (4, "vote", "", "line 6: vote is empty"),
        (4, "poll", "", "line 6: poll is empty"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(
    tmp_path: Path, row: int, column: str, value: str, complaint: str
) -> None:
    path = written(tmp_path / "votes.csv", changed(row, column, value))
    with pytest.raises(VoteFileError) as error:
        read_votes(path)
    assert str(error.value).startswith(f"{path}, {complaint}")


def test_lines_are_counted_over_quoted_line_breaks(tmp_path: Path) -> None:
    rows = changed(3, "outcome", "best")
    rows[1][3] = "two\nlines"
    with pytest.raises(VoteFileError, match="line 6: outcome 'best'"):
        read_votes(written(tmp_path / "votes.csv", rows))


@pytest.mark.parametrize("missing", COLUMNS)
def test_a_missing_column_is_named(tmp_path: Path, missing: str) -> None:
    at = COLUMNS.index(missing)
    rows = [row[:at] + row[at + 1 :] for row in ROWS]
    names = tuple(name for name in COLUMNS if name != missing)
    with pytest.raises(VoteFileError, match=f"line 1: there is no column '{missing}'; needed: vote, created_at"):
        read_votes(written(tmp_path / "votes.csv", rows, names))


def test_a_row_of_another_length_is_named(tmp_path: Path) -> None:
    with pytest.raises(VoteFileError, match="line 4: 6 values for 7 columns"):
        read_votes(written(tmp_path / "votes.csv", [*ROWS[:2], ROWS[2][:6]]))


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("votes.txt", b"", "the ending must be .csv, .jsonl or .parquet"),
        ("votes.csv", b"", "line 1: there is no column 'vote'"),
        ("votes.csv", b"\xff\xfe\x00", "line 1: not UTF-8"),
        ("votes.csv", b'vote,created_at\n"open', "line 1: there is no column 'poll'"),
        ("votes.jsonl", b"{}\n", "line 1: 'vote' is missing; needed: vote, created_at"),
        ("votes.jsonl", b"[1]\n", "line 1: expected an object"),
        ("votes.jsonl", b"{oops\n", "line 1: not JSON"),
        ("votes.parquet", b"PAR1 but no", "not a Parquet file"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VoteFileError, match=complaint):
        read_votes(tmp_path / name)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VoteFileError, match="cannot be read"):
        read_votes(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_no_votes_are_no_error(tmp_path: Path, ending: str) -> None:
    votes = read_votes(written(tmp_path / "votes.csv", []))
    assert len(votes) == 0
    write_votes(tmp_path / f"empty.{ending}", votes)
    assert len(read_votes(tmp_path / f"empty.{ending}")) == 0


def test_jsonl_takes_seats_as_a_list_and_keys_in_any_order(tmp_path: Path) -> None:
    first = dict(zip(COLUMNS, ROWS[0], strict=True)) | {"seats": ["anna", "bert"], "vote": 1}
    second = dict(reversed(dict(zip(COLUMNS, ROWS[1], strict=True)).items()))
    path = tmp_path / "votes.jsonl"
    path.write_text("\n".join(map(json.dumps, (first, second))) + "\n")
    votes = read_votes(path)
    assert list(votes.ids) == ["1", "2"]
    assert votes.seats.tolist() == [[0, 1], [1, 0]]
    path.write_text(json.dumps(first) + "\n" + json.dumps(second | {"outcome": None}) + "\n")
    with pytest.raises(VoteFileError, match="line 2: outcome ''"):
        read_votes(path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"seats": ["anna|x", "bert"]}, r"line 2: contestant 'anna|x' has a | in its name"),
        ({"seats": ["anna", None]}, "line 2: seats is 'anna|': a contestant has no name"),
        ({"seats": ["anna", "bert "]}, "line 2: seats is 'anna|bert ': a contestant's name starts or ends"),
        ({"seats": ["anna", "b\ud800"]}, "line 2: 'seats' holds half a character"),
        ({"vote": "\ud83d"}, "line 2: 'vote' holds half a character"),
        ({"\ud800": 1}, r"line 2: '\ud800' holds half a character"),
    ],
)
def test_a_wrong_jsonl_value_is_named_with_its_line(tmp_path: Path, change: dict, complaint: str) -> None:
    good, other = (dict(zip(COLUMNS, row, strict=True)) for row in ROWS[:2])
    path = tmp_path / "votes.jsonl"
    path.write_text(json.dumps(good) + "\n" + json.dumps(other | change) + "\n")
    with pytest.raises(VoteFileError) as error:
        read_votes(path)
    assert f"{path}, {complaint}" in str(error.value)


def test_whole_escaped_characters_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    vote = dict(zip(COLUMNS, ROWS[0], strict=True)) | {"seats": ["anna", "b\N{ROCKET}"]}
    path.write_text("\ufeff" + json.dumps(vote, ensure_ascii=True))
    assert read_votes(path).contestants == ("anna", "b\N{ROCKET}")


@pytest.mark.parametrize("line", [2, 3000])
@pytest.mark.parametrize("name", ["votes.csv", "votes.jsonl"])
def test_the_line_that_is_not_utf8_is_named(tmp_path: Path, name: str, line: int) -> None:
    rows = [[str(at), *ROWS[0][1:]] for at in range(3000)]
    good = written(tmp_path / "good.csv", rows)
    write_votes(tmp_path / name, read_votes(good))
    lines = (tmp_path / name).read_bytes().split(b"\n")
    lines[line - 1] = lines[line - 1].replace(b"anna", b"\xe4nna")
    (tmp_path / name).write_bytes(b"\n".join(lines))
    with pytest.raises(VoteFileError, match=f"{name}, line {line}: not UTF-8"):
        read_votes(tmp_path / name)


def test_parquet_of_other_types_is_read_as_its_texts(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {
        "vote": [1, 2],
        "created_at": [datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)],
        "poll": ["duel", "duel"],
        "prompt": ["", None],
        "voter": [7.0, math.nan],
        "seats": [["a", "b"], ["b", "a"]],
        "outcome": [1.0, 2.0],
        "weight": [0.5, 2.0],
    }
    parquet.write_table(arrow.table(columns), tmp_path / "votes.parquet")
    votes = read_votes(tmp_path / "votes.parquet")
    assert votes.ranks.tolist() == [[0, 1], [1, 0]]
    assert votes.times[1] - votes.times[0] == 86400.0
    assert (votes.voters, votes.voter.tolist()) == (("7",), [0, -1])
    assert votes.extra == {"weight": ["0.5", "2"]}
    parquet.write_table(arrow.table(columns | {"seats": [["a", "b"], ["b", "a|x"]]}), tmp_path / "votes.parquet")
    with pytest.raises(VoteFileError, match=r"line 2: contestant 'a\|x' has a \| in its name"):
        read_votes(tmp_path / "votes.parquet")


def test_a_file_is_not_written_into_a_folder_that_is_not_there(tmp_path: Path) -> None:
    votes = read_votes(written(tmp_path / "votes.csv", ROWS))
    with pytest.raises(VoteFileError, match=r"there is no folder .*nowhere; make it first"):
        write_votes(tmp_path / "nowhere" / "votes.csv", votes)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-31 12:00:00.25", 1769860800.25),
        ("2026-01-31T21:00:00+09:00", 1769860800.0),
        ("2026-01-31", 1769817600.0),
        ("1704067200.123456", 1704067200.123456),
        ("2026", 2026.0),
    ],
)
@pytest.mark.parametrize("before", [[], ["2026-01-31T12:00:00"]])
def test_what_is_read_at_once_means_the_same_alone(before: list[str], text: str, seconds: float) -> None:
    assert Collector("here")._moments([*before, text])[-1] == seconds


def test_without_pyarrow_parquet_says_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (tmp_path / "votes.parquet").write_bytes(b"")
    with pytest.raises(VoteFileError, match=r"pip install 'illustration-arena\[parquet\]'"):
        read_votes(tmp_path / "votes.parquet")


@given(moment=st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1)))
@settings(max_examples=30, deadline=None)
def test_a_moment_reads_alike_in_every_form(moment: datetime) -> None:
    text = moment.isoformat()
    seconds = (moment - datetime(1970, 1, 1)).total_seconds()
    east = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=9))).isoformat()
    forms = [text + "Z", text + "+00:00", text, east, repr(seconds)]
    rows = [tuple([str(at), form, *ROWS[0][2:]]) for at, form in enumerate(forms)]
    for some in (rows, rows[:1], rows[1:2]):
        collector = Collector("here")
        collector.add(list(COLUMNS), range(2, 2 + len(some)), some)
        assert collector.votes().times == pytest.approx([seconds] * len(some), abs=1e-6)
