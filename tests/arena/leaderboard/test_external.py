"""Votes from elsewhere have boards of their own; the arena's export read back gives the arena's board, bit for bit."""

import json
import os
from dataclasses import asdict
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from arena.leaderboard.exporting import contestant_names
from arena.leaderboard.external import external_board, import_votes, votes_of
from arena.leaderboard.models import ExternalBoard, RatingRun, Standing
from arena.leaderboard.table import VOTED, board
from arena.votes.models import Vote, Voter
from rating.votefile import read_votes
from tests.arena.leaderboard.test_replay import cast

BATTLES = "model_a,model_b,winner,judge\n" + "".join(
    f"{a},{b},{winner},j{number % 5}\n"
    for number, (a, b, winner) in enumerate(
        [("anna", "bert", "model_a"), ("bert", "carl", "model_a"), ("carl", "anna", "model_b"), ("bert", "anna", "tie")]
        * 5
        + [("carl", "bert", "model_a"), ("bert", "anna", "model_a"), ("anna", "carl", "tie (bothbad)")]
    )
)
NOT_COMPARED = {"contestant_id", "run", "epoch", "step", "checkpoint", "lineage", "licence", "exposure",
                "previous_epoch", "change", "change_error"}  # fmt: skip


def numbers(rows: list, names: dict[int, str] | None = None) -> dict[str, dict[str, object]]:
    """What a board says of each contestant, by name."""
    found = {}
    for row in rows:
        name = names[row.contestant_id] if names else row.contestant
        found[name] = {key: value for key, value in asdict(row).items() if key not in NOT_COMPARED} | {
            "contestant": name
        }
    return found


def cast_by_many(log) -> None:
    """A mixed log by six voters on contestants whose keys are not in the order of their names or first votes."""
    for name in ["e", "d", "c", "b", "a"]:
        log.contestant(name)
    for seed in range(12):
        log.voters["people"] = Voter.objects.create()
        cast(log, 8, seed=seed)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_the_export_read_back_gives_a_bit_equal_board(log, tmp_path: Path, form: str) -> None:
    cast_by_many(log)
    log.exclude(Vote.objects.get(number=17))
    path = tmp_path / f"votes.{form}"
    call_command("export_votes", str(path), stdout=StringIO())
    import_votes(path, "again")
    for metric in VOTED:
        for poll in (None, "fixed", "duel", "ffa"):
            own, read = board(metric, poll), external_board("again", metric, poll)
            assert own.head.state == "ok"
            assert numbers(read.rows) == numbers(own.rows, contestant_names()), (metric, poll)
            same = ("state", "counted", "bad", "skipped", "groups", "position_bias", "voters", "pairs",
                    "decided_pairs", "order_votes", "order_sd", "notes", "methodology")  # fmt: skip
            assert {name: getattr(read.head, name) for name in same} == {name: getattr(own.head, name) for name in same}


def test_battles_are_a_board_apart_from_the_arenas_own(log, tmp_path: Path) -> None:
    log.vote("duel", "a b", "1")
    path = tmp_path / "battles.csv"
    path.write_text(BATTLES)
    out = StringIO()
    call_command("import_votes", str(path), "--board", "other-arena", "--source", "CC BY 4.0", stdout=out)
    assert "other-arena: 23 votes on 3 contestants from battles.csv" in out.getvalue()
    found = external_board("other-arena", "trueskill")
    assert [(row.contestant, row.votes, row.wins, row.losses, row.draws) for row in found.rows] == [
        ("anna", 16, 10, 1, 5), ("bert", 17, 6, 6, 5), ("carl", 11, 1, 10, 0),
    ]  # fmt: skip
    assert (found.head.counted, found.head.bad, found.head.voters) == (22, 1, 5)
    assert [row.contestant for row in board("trueskill").rows] == ["a epoch 0", "b epoch 0"]
    assert Vote.objects.count() == 1
    assert set(RatingRun.objects.values_list("population", flat=True)) == {"people"}
    assert not Standing.objects.filter(votes__gt=1).exists()


def test_names_of_voters_and_prompts_are_not_kept(db, tmp_path: Path) -> None:
    path = tmp_path / "battles.csv"
    path.write_text(BATTLES.replace(",j", ",mika-").replace("mika-udge", "judge"))
    kept = import_votes(path, "other")
    assert b"mika" not in bytes(kept.data)
    assert "mika" not in json.dumps(kept.names)
    assert len(votes_of(kept).voters) == 5


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (BATTLES + "anna,bert,model_c,j\n", "line 25: winner is 'model_c'"),
        (BATTLES + "anna,anna,tie,j\n", "line 25: contestant 'anna' is seated twice"),
        ("vote,created_at,poll,prompt,voter,seats,outcome\n1,5,duel,p,v,a|b,1\n2,5,duel,p,v,a|b,3\n", "line 3: "),
        ("vote,created_at,poll,prompt,voter,seats\n1,5,duel,p,v,a|b\n", "line 1: there is no column 'outcome'"),
    ],
)
def test_a_malformed_row_is_named_and_nothing_is_imported(db, tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(text)
    with pytest.raises(CommandError, match=complaint):
        call_command("import_votes", str(path), "--board", "bad")
    assert not ExternalBoard.objects.exists()


def test_a_pipe_is_refused_before_anything_is_read_from_it(db, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "votes.csv")
    with pytest.raises(CommandError, match=r"votes\.csv: is a pipe, .*; save the votes to a file first"):
        call_command("import_votes", str(tmp_path / "votes.csv"), "--board", "piped")


def test_a_failed_replacement_leaves_the_board_as_it_was(db, tmp_path: Path) -> None:
    path = tmp_path / "battles.csv"
    path.write_text(BATTLES)
    import_votes(path, "other")
    before = numbers(external_board("other", "elo").rows)
    path.write_text(BATTLES + "anna,bert,?,j\n")
    with pytest.raises(CommandError, match="line 25"):
        call_command("import_votes", str(path), "--board", "other", "--replace")
    assert numbers(external_board("other", "elo").rows) == before
    path.write_text(BATTLES + "carl,anna,model_a,j\n")
    with pytest.raises(CommandError, match="there is an external board 'other' already"):
        call_command("import_votes", str(path), "--board", "other")
    call_command("import_votes", str(path), "--board", "other", "--replace", stdout=StringIO())
    assert external_board("other", "elo").head.counted == 23


@pytest.mark.parametrize("name", ["Other", "a b", "", "-a", "x" * 101])
def test_a_name_that_cannot_be_an_address_is_refused(db, tmp_path: Path, name: str) -> None:
    path = tmp_path / "battles.csv"
    path.write_text(BATTLES)
    with pytest.raises(CommandError, match="is no name for a board"):
        call_command("import_votes", str(path), f"--board={name}")


def test_a_board_is_computed_once_and_anew_by_another_method(db, tmp_path: Path) -> None:
    path = tmp_path / "battles.csv"
    path.write_text(BATTLES)
    import_votes(path, "other")
    first = external_board("other", "elo")
    kept = ExternalBoard.objects.get()
    assert list(kept.runs) == ["elo"]
    kept.runs["elo"]["counted"] = 5
    kept.save()
    assert external_board("other", "elo").head.counted == 5, "read, not computed"
    kept.runs["elo"]["methodology"] = "elo/0"
    kept.save()
    assert external_board("other", "elo").head.counted == first.head.counted


def test_the_leaderboard_command_prints_it(db, tmp_path: Path) -> None:
    path = tmp_path / "battles.csv"
    path.write_text(BATTLES)
    import_votes(path, "other")
    out = StringIO()
    call_command("leaderboard", "--board", "other", "--metric", "winrate", "--format", "json", stdout=out)
    rows = json.loads(out.getvalue())
    assert [row["contestant"] for row in rows] == ["anna", "bert", "carl"]
    assert rows[0]["value"] == pytest.approx(100 * (10 + 5 / 2 + 0.5) / (16 + 1))
    for wrong, said in (
        (["--board", "none"], "no external board 'none'; known: other"),
        (["--board", "other", "--poll", "duel"], "no poll of other 'duel'; known: battle"),
        (["--board", "other", "--metric", "fame"], "no metric 'fame'"),
        (["--board", "other", "--slice", "tag=x"], "--slice is of the arena's own boards"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command("leaderboard", *wrong)


def test_votes_that_allow_no_numbers_are_a_state(db, tmp_path: Path) -> None:
    path = tmp_path / "battles.csv"
    path.write_text("model_a,model_b,winner\nanna,bert,tie\ncarl,dora,tie\n")
    import_votes(path, "drawn")
    for metric in VOTED:
        found = external_board("drawn", metric)
        assert found.head.state == "all-draws"
        assert {row.value for row in found.rows} == {None}


def test_the_page_shows_the_board_and_the_arenas_boards_link_to_it(client: Client, log, tmp_path: Path) -> None:
    path = tmp_path / "battles.csv"
    path.write_text(BATTLES)
    import_votes(path, "other", source="https://example.org <b>CC BY</b>")
    page = client.get("/boards/external/other/").content.decode()
    assert "anna" in page
    assert "/checkpoints//" not in page
    assert "<b>CC BY</b>" not in page
    assert "kept apart" in page
    for metric in VOTED:
        assert client.get(f"/boards/external/other/{metric}/battle/").status_code == 200
    assert 'href="/boards/external/other/"' in client.get("/boards/trueskill/").content.decode()
    missing = client.get("/boards/external/nowhere/")
    assert (missing.status_code, "known: other" in missing.content.decode()) == (404, True)


def test_the_file_of_a_real_export_has_all_votes(log, tmp_path: Path) -> None:
    cast_by_many(log)
    call_command("export_votes", str(tmp_path / "v.csv"), stdout=StringIO())
    assert len(read_votes(tmp_path / "v.csv")) == Vote.objects.count() == 96


def test_battles_without_judges_speak_of_no_voters_and_plan_nothing(client: Client, db, tmp_path: Path) -> None:
    path = tmp_path / "battles.csv"
    path.write_text("model_a,model_b,winner\n" + "anna,bert,model_a\nbert,anna,model_a\nanna,bert,model_a\n" * 4)
    import_votes(path, "other")
    page = client.get("/boards/external/other/elo/battle/").content.decode()
    assert "Decided pairs" in page
    assert "0 voters" not in page
    assert "/boards/next/" not in page, "the arena's own polls alone are planned"
    out = StringIO()
    call_command("leaderboard", "--board", "other", stdout=out)
    assert "pairs are decided" in out.getvalue()
    assert "voters" not in out.getvalue()
