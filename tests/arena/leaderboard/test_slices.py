"""Which votes a board counts: slices, moments, and names that do not exist."""

from datetime import UTC, datetime, timedelta

import pytest

from arena.gallery.models import Character
from arena.leaderboard.table import UnknownBoardError, board
from arena.votes.models import Vote
from rating.registry import SYSTEMS

every_metric = pytest.mark.parametrize("metric", sorted(SYSTEMS))


def test_a_slice_counts_its_votes_alone(log) -> None:
    prompts = log.polls["duel"].prompt_set.prompts
    alice = Character.objects.create(name="Alice")
    prompts.create(text="1girl, alice, red hair, nude", character=alice)
    log.vote("duel", "a b", "1")
    log.vote("duel", "a b", "2", prompt=prompts.get(character=alice))
    for cut, value in {
        "": 2, "character=Alice": 1, "tag=red hair": 1, "tag=Red_Hair": 1, "tag=1girl": 2, "content_rating=general": 1,
        "content_rating=questionable": 1, "content_rating=explicit": 0, "resolution=64x64": 2,
    }.items():  # fmt: skip
        found = board("elo", cut=cut)
        assert (found.head.counted, found.head.cut) == (value, cut)
    log.exclude(Vote.objects.get(number=2))
    assert [board("elo", cut=cut).head.excluded for cut in ("character=Alice", "content_rating=general")] == [1, 0]
    assert board("elo", cut="character=Alice").head.state == "no-votes"


def test_a_slice_of_a_size_takes_votes_among_those_alone(log) -> None:
    log.vote("duel", "a b", "1")
    log.vote("duel", "a c", "1")
    large = log.contestants["c"]
    large.recipe = large.recipe | {"width": 128, "height": 128}
    large.save()
    assert board("elo", cut="resolution=64x64").head.counted == 1
    assert {row.contestant for row in board("elo", cut="resolution=64x64").rows} == {"a epoch 0", "b epoch 0"}
    assert board("elo", cut="resolution=128x128").head.counted == 0


@pytest.mark.parametrize(
    ("cut", "complaint"),
    [
        ("hair=red", r"no slice 'hair=red'; write character=…, tag=…, content_rating=…, resolution=…"),
        ("tag", "no slice 'tag'"),
        ("character=", "no slice 'character='"),
        ("character=Bob", "no character 'Bob'; known: Alice"),
        ("tag=blue", "no tag 'blue'; known: 1girl, duel, ffa, fixed"),
        ("content_rating=rude", "known: general, sensitive, questionable, explicit"),
        ("resolution=1x1", "no resolution '1x1'; known: 64x64"),
    ],
)
def test_an_unknown_slice_names_the_known_ones(log, cut: str, complaint: str) -> None:
    Character.objects.create(name="Alice")
    log.contestant("a")
    with pytest.raises(UnknownBoardError, match=complaint):
        board("elo", cut=cut)


@every_metric
def test_a_board_as_of_a_moment_counts_the_votes_until_then(log, metric: str) -> None:
    for number in range(12):
        log.vote("duel", "a b" if number % 3 else "b a", "1" if number % 4 else "2")
    then = board(metric)
    moment = Vote.objects.get(number=12).created_at
    for _ in range(5):
        log.vote("duel", "a b", "2")
    found = board(metric, as_of=moment)
    assert found.rows == then.rows
    assert found.head.log_sha256 == then.head.log_sha256
    assert (found.head.as_of, found.head.behind) == (moment, 0)
    assert board(metric).head.counted == 17


def test_a_moment_to_come_is_refused(db) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(UnknownBoardError, match=r"2026-01-01 00:01 is still to come; .* until 2026-01-01 00:00"):
        board("elo", as_of=now + timedelta(minutes=1), now=now)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("glicko", None), "no metric 'glicko'; known: trueskill, elo, elo-twa"),
        (("elo", "quartet"), "no poll 'quartet'; known: fixed, duel, ffa"),
        (("elo", ""), "no poll ''; known"),
        (("elo", None, "robots"), "no population 'robots'; known: people, simulated"),
    ],
)
def test_unknown_names_list_the_known_ones(db, arguments: tuple, complaint: str) -> None:
    with pytest.raises(UnknownBoardError, match=complaint):
        board(*arguments)
