"""The export: a vote file whose votes are those of the boards, voters nobody can trace, and a card."""

import csv
import json
import re
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from arena.gallery.models import Contestant
from arena.leaderboard import exporting
from arena.leaderboard.datacard import as_markdown
from arena.leaderboard.exporting import KEY_BYTES, NAMES, begin, card, contestant_names, stream
from arena.leaderboard.table import board
from arena.votes.models import Vote, VoteExclusion, Voter
from rating.columns import COLUMNS
from rating.registry import rating_system
from rating.votefile import read_votes
from rating.votes import Votes

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY = bytes(range(KEY_BYTES))


def cast_all_kinds(log) -> None:
    log.vote("duel", "run:1 run:2", "1")
    log.vote("fixed", "run:2 run:3", "1=2")
    log.vote("ffa", "run:3 run:1 base run:2", "2>1=4>3")
    log.vote("duel", "run:3 base", "2", "simulated")
    log.vote("duel", "run:3 base", "skip")
    log.exclude(log.vote("duel", "run:1 run:2", "2"))
    log.vote("ffa", "run:1 run:2 run:3 base", "3")
    log.vote("fixed", "run:1 base", "bad")


def exported(tmp_path: Path, form: str = "csv", poll: str | None = None, population: str = "people") -> Votes:
    path = tmp_path / f"votes.{form}"
    path.write_bytes(b"".join(stream(begin(poll, population, key=KEY, now=NOW), form)))
    return read_votes(path)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_every_form_holds_the_counted_votes_in_their_order(log, tmp_path: Path, form: str) -> None:
    cast_all_kinds(log)
    votes = exported(tmp_path, form)
    assert list(votes.ids) == ["1", "2", "3", "5", "7", "8"]
    assert [votes.polls[code] for code in votes.poll] == ["duel", "fixed", "ffa", "duel", "ffa", "fixed"]
    shown = [[votes.contestants[code] for code in row if code >= 0] for row in votes.seats.tolist()]
    assert shown[2] == [name(log, one) for one in ("run:3", "run:1", "base", "run:2")]
    assert shown[2][0].endswith(" run epoch 3")
    assert votes.ranks[2].tolist() == [1, 0, 2, 1]
    assert (list(votes.extra), set(votes.extra["rule"])) == (["seed", "rule"], {"test"})
    stored = Vote.objects.filter(exclusion=None, ticket__voter__population="people").order_by("number")
    assert votes.times.tolist() == [vote.created_at.timestamp() for vote in stored]


def test_poll_and_population_choose(log, tmp_path: Path) -> None:
    cast_all_kinds(log)
    assert list(exported(tmp_path, poll="ffa").ids) == ["3", "7"]
    assert list(exported(tmp_path, population="simulated").ids) == ["4"]
    assert len(exported(tmp_path, poll="fixed", population="simulated")) == 0


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_no_votes_make_a_file_without_rows(log, tmp_path: Path, form: str) -> None:
    path = tmp_path / f"votes.{form}"
    path.write_bytes(b"".join(stream(begin(None, "people", key=KEY, now=NOW), form)))
    assert len(read_votes(path)) == 0


@pytest.mark.parametrize("metric", ["trueskill", "elo", "elo-twa"])
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_the_values_of_the_export_are_those_of_the_board_bit_for_bit(
    log, tmp_path: Path, metric: str, form: str
) -> None:
    for _ in range(3):
        cast_all_kinds(log)
    system, votes = rating_system(metric), exported(tmp_path, form)
    again = system.standings(system.fold(system.start(), votes.take(votes.counted)))
    names = contestant_names()
    rows = {names[row.contestant_id]: (row.value, row.mu, row.sigma, row.average) for row in board(metric).rows}
    assert {name: (one.value, one.mu, one.sigma, one.average) for name, one in again.items()} == rows


def test_voters_are_pseudonyms_of_one_export_alone(log, tmp_path: Path) -> None:
    cast_all_kinds(log)
    other = Voter.objects.create()
    log.voters["people"] = other
    log.vote("duel", "run:1 run:2", "1")
    votes = exported(tmp_path)
    shown = [votes.voters[code] for code in votes.voter]
    assert len(set(shown[:-1])) == 1, "one person"
    assert shown[-1] not in shown[:-1], "another one"
    assert all(re.fullmatch(r"[0-9a-f]{16}", name) for name in shown)
    text = (tmp_path / "votes.csv").read_text()
    assert all(voter.key not in text for voter in Voter.objects.all())
    first, second = (begin(None, "people", key=bytes([one]) * KEY_BYTES, now=NOW) for one in (1, 2))
    assert first.pseudonym(other.pk) != second.pseudonym(other.pk)
    # RFC 2104 with SHA-256, by hand: the inner and the outer hash.
    from_hand = _hmac_sha256(KEY, str(other.pk).encode())[:16]
    assert shown[-1] == from_hand


def _hmac_sha256(key: bytes, message: bytes) -> str:
    block = key.ljust(64, b"\0")
    inner = exporting.sha256(bytes(one ^ 0x36 for one in block) + message).digest()
    return exporting.sha256(bytes(one ^ 0x5C for one in block) + inner).hexdigest()


def test_names_are_unique_and_hold_no_sign_of_the_file(log, tmp_path: Path) -> None:
    log.vote("duel", "one two", "1")
    log.vote("duel", "three four", "2")
    contestants = list(Contestant.objects.order_by("pk"))
    for contestant, name in zip(contestants, ["same", "same", " a|b ", "a/b"], strict=True):
        contestant.checkpoint.name = name
        contestant.checkpoint.save()
    one, two, three, four = (contestant.pk for contestant in contestants)
    names = [f"{one} same", f"{two} same", f"{three}  a/b", f"{four} a/b"]
    assert list(contestant_names().values()) == names
    assert exported(tmp_path).contestants == tuple(sorted(names))


def test_names_sort_as_the_arenas_keys_do(log) -> None:
    for number in range(12):
        log.contestant(f"{'zyx'[number % 3]}:{number}")
    names = contestant_names()
    assert sorted(names, key=str) == [pk for pk, _ in sorted(names.items(), key=lambda pair: pair[1])]


def name(log, contestant: str) -> str:
    """What an export calls a contestant of the log."""
    return contestant_names()[log.contestants[contestant].pk]


def test_only_one_portion_is_read_before_it_is_sent(log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PORTION", 4)
    for number in range(20):
        log.vote("duel", f"a{number % 3} b", "1")
    pieces = stream(begin(None, "people", key=KEY, now=NOW), "csv")
    assert next(pieces).decode() == ",".join(NAMES) + "\n"
    for _ in range(5):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert next(pieces).count(b"\n") == 4
        assert len(queries) == 2, "the votes of a portion and their seats"
    assert list(pieces) == []


def test_votes_that_come_after_the_beginning_are_not_exported(log) -> None:
    log.vote("duel", "a b", "1")
    export = begin(None, "people", key=KEY, now=NOW)
    log.vote("duel", "a b", "2")
    assert b"".join(stream(export, "csv")).count(b"\n") == 2


def test_a_vote_that_cannot_be_read_stops_the_export_by_its_number(log, tmp_path: Path) -> None:
    log.vote("duel", "a b", "1")
    log.vote("duel", "a b", "left")
    with pytest.raises(CommandError, match=r"vote 2: .*VoteExclusion"):
        call_command("export_votes", str(tmp_path / "votes.csv"))
    assert list(tmp_path.iterdir()) == []


def test_the_card_counts_and_says_who_the_contestants_are(log, settings) -> None:
    settings.ARENA_VOTES_LICENCE = "CC BY 4.0"
    cast_all_kinds(log)
    VoteExclusion.objects.create(
        vote=log.vote("duel", "run:1 run:2", "2"), state=VoteExclusion.State.UNVERIFIED, rule=VoteExclusion.Rule.FAN
    )
    told = card(begin(None, "people", key=KEY, now=NOW))
    assert told["schema"] == "illustration-arena/votes/1"
    assert (told["votes"], told["voters"], told["licence"]) == (6, 1, "CC BY 4.0")
    assert told["outcomes"] == {"compared": 4, "bad": 1, "skip": 1}
    assert told["polls"] == {"duel": 2, "fixed": 2, "ffa": 2}
    assert told["left_out"] == {"excluded": 1, "unverified": 1}
    assert [one["name"] for one in told["contestants"]] == list(contestant_names().values())
    assert told["contestants"][0]["checkpoint_sha256"] == log.contestants["run:1"].checkpoint.sha256
    assert list(told["columns"]) == list(NAMES)
    assert NAMES[: len(COLUMNS)] == COLUMNS
    assert set(told["prompts"].values()) == {"1girl, duel", "1girl, fixed", "1girl, ffa"}


def test_what_volunteers_typed_is_not_in_the_card(log) -> None:
    log.vote("duel", "a b", "1")
    log.polls["duel"].prompt_set.prompts.update(origin="volunteer", text="my own name")
    assert "my own name" not in json.dumps(card(begin(None, "people", key=KEY, now=NOW)))


def test_the_card_as_a_page_has_the_same_facts_in_its_head(log) -> None:
    cast_all_kinds(log)
    told = card(begin(None, "people", key=KEY, now=NOW))
    page = as_markdown(told)
    head = page.split("---\n")[1].strip().splitlines()
    assert {line.split(": ", 1)[0]: json.loads(line.split(": ", 1)[1]) for line in head} == told
    assert "6 blind votes by 1 people on images of 4 contestants" in page
    assert f"| {name(log, 'run:1')} | run | 1 | `" in page
    assert "2>1=4>3" in page


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_the_command_writes_file_and_card(log, tmp_path: Path, form: str) -> None:
    cast_all_kinds(log)
    out, path = StringIO(), tmp_path / f"votes.{form}"
    call_command("export_votes", str(path), stdout=out)
    assert "6 votes of 1 voters" in out.getvalue()
    assert sorted(one.name for one in tmp_path.iterdir()) == [path.name, f"{path.name}.card.md"]
    assert len(read_votes(path)) == 6
    assert 'schema: "illustration-arena/votes/1"' in (tmp_path / f"{path.name}.card.md").read_text()


def test_csv_is_plain_csv(log, tmp_path: Path) -> None:
    log.vote("duel", "a b", "1")
    exported(tmp_path)
    with (tmp_path / "votes.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["vote"], row["poll"], row["seats"], row["outcome"]) == (
        "1",
        "duel",
        f"{name(log, 'a')}|{name(log, 'b')}",
        "1",
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["votes.txt"], r"the ending must be \.csv, \.jsonl, \.parquet"),
        (["nowhere/votes.csv"], "there is no folder"),
        (["votes.csv", "--poll", "quartet"], "no poll 'quartet'; known: fixed, duel, ffa"),
        (["votes.csv", "--population", "robots"], "no population 'robots'; known: people, simulated"),
    ],
)
def test_what_cannot_be_exported_is_named_and_nothing_written(
    db, tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        call_command("export_votes", str(tmp_path / arguments[0]), *arguments[1:])
    assert list(tmp_path.iterdir()) == []
