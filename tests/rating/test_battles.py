"""Battles of other arenas become votes, and a row that cannot be one is named with its line."""

import csv
import json
import os
import threading
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from rating.battles import read_battles, read_either
from rating.errors import VoteFileError
from rating.tally import Tally, count
from rating.votefile import read_votes, write_votes
from rating.votes import BAD, DRAW, PICK, SKIP, Votes

BATTLES: list[dict[str, Any]] = [
    {"model_a": "anna", "model_b": "bert", "winner": "model_a", "judge": "j1", "tstamp": 1700000000.25, "anony": True},
    {"model_a": "bert", "model_b": "carl", "winner": "model_b", "judge": "j2", "tstamp": 1700000001.5, "anony": True},
    {"model_a": "carl", "model_b": "anna", "winner": "tie", "judge": "j1", "tstamp": 1700000002.0, "anony": True},
    {"model_a": "carl", "model_b": "bert", "winner": "tie (bothbad)", "judge": "", "tstamp": 1700000003, "anony": True},
    {"model_a": "anna", "model_b": "carl", "winner": "model_a", "judge": "j3", "tstamp": 1700000004, "anony": False},
]
ENDINGS = ("csv", "jsonl", "json", "parquet")


def write(path: Path, battles: list[dict[str, Any]]) -> Path:
    names = list(battles[0])
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(battles)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(battle) + "\n" for battle in battles))
    elif path.suffix == ".json":
        path.write_text(json.dumps(battles))
    else:
        parquet.write_table(arrow.table({name: [battle[name] for battle in battles] for name in names}), path)
    return path


@pytest.mark.parametrize("capitals", [False, True])
@pytest.mark.parametrize("ending", ENDINGS)
def test_every_form_gives_the_same_votes(tmp_path: Path, ending: str, capitals: bool) -> None:
    path = write(tmp_path / f"battles.{ending}", BATTLES)
    if capitals:
        path = path.rename(path.with_suffix(f".{ending.upper()}"))
    votes, told = read_battles(path), read_either(path)
    assert told.seats.tolist() == votes.seats.tolist()
    assert told.ranks.tolist() == votes.ranks.tolist()
    assert votes.contestants == ("anna", "bert", "carl")
    assert votes.kinds.tolist() == [PICK, PICK, DRAW, BAD, SKIP]
    assert votes.seats.tolist() == [[0, 1], [1, 2], [2, 0], [2, 1], [0, 2]]
    assert votes.ranks.tolist() == [[0, 1], [1, 0], [0, 0], [-1, -1], [-1, -1]]
    assert votes.times.tolist() == [1700000000.25, 1700000001.5, 1700000002.0, 1700000003.0, 1700000004.0]
    assert [votes.voters[code] if code >= 0 else "" for code in votes.voter] == ["j1", "j2", "j1", "", "j3"]
    assert (votes.polls, list(votes.ids)) == (("battle",), ["1", "2", "3", "4", "5"])


def test_both_bad_is_no_tie_and_open_names_do_not_count(tmp_path: Path) -> None:
    votes = read_battles(write(tmp_path / "battles.csv", BATTLES))
    tallies = count({}, votes.take(votes.counted))
    assert tallies == {"anna": Tally(1, 0, 1), "bert": Tally(0, 2, 0), "carl": Tally(1, 0, 1)}


def test_a_vote_file_is_none_and_battles_survive_as_one(tmp_path: Path) -> None:
    votes = read_battles(write(tmp_path / "battles.csv", BATTLES))
    for ending in ("csv", "jsonl", "parquet"):
        path = tmp_path / f"votes.{ending}"
        write_votes(path, votes)
        for read in (read_votes, read_either):
            again: Votes = read(path)
            assert again.seats.tolist() == votes.seats.tolist()
            assert again.times.tolist() == votes.times.tolist()


@pytest.mark.parametrize("form", ["votes", "battles"])
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_pipe_gives_every_vote(tmp_path: Path, form: str, ending: str) -> None:
    # Far more than what is read ahead at once.
    battles = [BATTLES[at % 5] | {"tstamp": 1_700_000_000 + at} for at in range(12_000)]
    path = write(tmp_path / f"battles.{ending}", battles)
    votes = read_battles(path)
    if form == "votes":
        path = tmp_path / f"votes.{ending}"
        write_votes(path, votes)
    found = read_either(piped(tmp_path / f"pipe.{ending}", path.read_bytes()))
    assert len(found) == 12_000
    assert found.seats.tolist() == votes.seats.tolist()
    assert found.times.tolist() == votes.times.tolist()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("pipe.csv", b"model_a,model_b,winner\nx,\xff,tie\n", r"pipe\.csv: not UTF-8 .*; save it as UTF-8"),
        ("pipe.parquet", b"PAR1", r"pipe\.parquet: Parquet, .*, cannot come through a pipe; save it first"),
    ],
)
def test_a_pipe_that_cannot_be_read_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    with pytest.raises(VoteFileError, match=said):
        read_either(piped(tmp_path / name, content))


def piped(path: Path, content: bytes) -> Path:
    os.mkfifo(path)
    threading.Thread(target=path.write_bytes, args=(content,), daemon=True).start()
    return path


def test_columns_of_other_arenas_are_found_and_time_may_be_missing(tmp_path: Path) -> None:
    battles = [
        {"model_a": "x", "model_b": "y", "winner": "both_bad", "judge_hash": "h", "question_id": "q1"},
        {"model_a": "y", "model_b": "x", "winner": "model_a", "judge_hash": "h", "question_id": "q2"},
    ]
    votes = read_battles(write(tmp_path / "battles.jsonl", battles))
    assert (votes.voters, votes.prompts) == (("h",), ("q1", "q2"))
    assert votes.times.tolist() == [1.0, 2.0]
    assert votes.kinds.tolist() == [BAD, PICK]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"winner": "model_c"}, r"winner is 'model_c'; known: model_a, model_b, tie, tie \(bothbad\), both_bad"),
        ({"winner": ""}, "winner is ''; known"),
        ({"model_b": "anna"}, "'anna' is seated twice"),
        ({"model_a": ""}, "a contestant has no name"),
        ({"model_a": "a|b"}, r"model_a is 'a\|b'; a \| joins names"),
        ({"tstamp": "yesterday"}, "created_at is 'yesterday'"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(tmp_path: Path, ending: str, wrong: dict[str, Any], said: str) -> None:
    battles = [{name: str(value) for name, value in battle.items()} for battle in BATTLES]
    battles[2] = battles[2] | {"model_a": "carl", "model_b": "bert"} | wrong
    if wrong.get("model_b"):
        battles[2]["model_a"] = "anna"
    line = {"csv": 4, "jsonl": 3, "json": 3, "parquet": 3}[ending]
    with pytest.raises(VoteFileError, match=rf"battles\.{ending}, line {line}: .*{said}"):
        read_battles(write(tmp_path / f"battles.{ending}", battles))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("b.csv", "model_a,model_b\nx,y\n", "line 1: there is no column 'winner'; needed: model_a, model_b, winner"),
        ("b.csv", "model_a,model_b,winner\nx,y\n", "line 2: 2 values for 3 columns"),
        ("b.jsonl", '{"model_a": "x", "model_b": "y", "winner": "tie"}\n{"model_a": "x"}\n', "line 2: 'model_b' is"),
        ("b.json", '{"model_a": "x"}', "expected a list of objects with model_a, model_b, winner"),
        ("b.json", "[", "not JSON"),
        ("b.txt", "", "the ending must be"),
    ],
)
def test_a_file_that_is_no_battles_is_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(VoteFileError, match=said):
        read_battles(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for read in (read_battles, read_either):
        with pytest.raises(VoteFileError, match=r"none\.csv: cannot be read"):
            read(tmp_path / "none.csv")
