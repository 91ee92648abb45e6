"""The board of character similarity: measured, not voted on."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command
from django.test import Client
from scipy import stats

from arena.evaluations.models import CharacterScore, CheckpointScore
from arena.gallery.models import Character
from arena.leaderboard.table import UnknownBoardError, board

START = datetime(2026, 1, 1, tzinfo=UTC)


def score(contestant, difference: float | None, *, reach: float = 0.01, missing: int = 0, day: int = 0, **other):
    interval = {"difference_low": None, "difference_high": None}
    if difference is not None:
        interval = {"difference_low": difference - reach, "difference_high": difference + reach}
    fields = {"encoder": "e" * 64, "encoder_name": "own/1", "suite": "s" * 64, "threshold": 0.2} | other
    return CheckpointScore.objects.create(
        contestant=contestant, images=12, missing=missing, difference=difference, interval="t",
        measured_at=START + timedelta(days=day), **interval, **fields,
    )  # fmt: skip


def by_character(contestant, values: Sequence[float], **other) -> CheckpointScore:
    """A score and its parts: characters c00, c01 and so on."""
    mean = float(np.mean(values))
    reach = mean - stats.ttest_1samp(values, 0.0).confidence_interval(0.95).low
    whole = score(contestant, mean, reach=reach, **other)
    for number, value in enumerate(values):
        character, _ = Character.objects.get_or_create(name=f"c{number:02}")
        CharacterScore.objects.create(score=whole, character=character, images=3, missing=0, difference=value)
    return whole


def test_the_least_difference_is_first_and_those_that_cannot_be_told_apart_share_ranks(log) -> None:
    near, wave = np.array([0.12, 0.08, 0.11, 0.09]), np.array([0.02, -0.02, -0.015, 0.015])
    for name, values in (("run:0", near + 0.2 + wave / 2), ("run:1", near + 0.005 + wave), ("run:2", near)):
        by_character(log.contestant(name), values)
    found = board("ccip")
    assert [(row.contestant, row.value, row.rank, row.rank_high) for row in found.rows] == [
        ("run epoch 2", pytest.approx(0.1), 1, 2), ("run epoch 1", pytest.approx(0.105), 1, 2),
        ("run epoch 0", pytest.approx(0.3), 3, 3),
    ]  # fmt: skip
    assert [row.change for row in found.rows] == pytest.approx([-0.005, -0.195, None])
    assert (found.rows[0].low, found.rows[0].high) == pytest.approx((0.0709, 0.1291), abs=1e-4)
    assert found.rows[0].best_probability > found.rows[1].best_probability > 0.2
    assert (found.head.state, found.head.images, found.head.pairs, found.head.decided_pairs) == ("ok", 36, 3, 2)
    assert "own/1 eeeeeeeeeeee suite=ssssssssssss t=0.2" in found.head.methodology
    names = {"run epoch 2": "run:2", "run epoch 1": "run:1", "run epoch 0": "run:0"}
    lines = [f"{names[r.contestant].encode().hex().ljust(64, '0')}/{log.recipe_sha256},{r.value!r}" for r in found.rows]
    assert found.head.log_sha256 == sha256("\n".join(lines).encode()).hexdigest()


def test_what_makes_a_character_hard_is_the_same_for_both_and_leaves_their_difference(log) -> None:
    """Intervals that overlap almost whole; character by character the later epoch is nearer by about .02."""
    hard = np.linspace(0.1, 0.5, 10)
    gain = 0.02 + 0.004 * np.sin(np.arange(10))
    by_character(log.contestant("run:1"), hard)
    by_character(log.contestant("run:2"), hard - gain)
    later, earlier = board("ccip").rows
    assert later.low < earlier.low < later.high < earlier.high
    assert [(row.epoch, row.rank, row.rank_high) for row in (later, earlier)] == [(2, 1, 1), (1, 2, 2)]
    interval = stats.ttest_rel(hard - gain, hard).confidence_interval(0.95)
    assert (later.change - later.change_error, later.change + later.change_error) == pytest.approx(interval)
    assert later.best_probability > 0.999


def test_an_incomplete_score_comes_last_without_a_rank(log) -> None:
    by_character(log.contestant("run:1"), [0.2, 0.3, 0.25])
    by_character(log.contestant("run:2"), [0.1, 0.1, 0.12], missing=2)
    whole, lacking = board("ccip").rows
    assert [(row.epoch, row.provisional, row.rank) for row in (whole, lacking)] == [(1, False, 1), (2, True, None)]
    assert (lacking.change, lacking.change_error) == (pytest.approx(-0.1433, abs=1e-4), None)


def test_a_single_character_ranks_nobody(log) -> None:
    for name, value in (("a", 0.2), ("b", 0.3)):
        whole = score(log.contestant(name), value)
        CharacterScore.objects.create(
            score=whole, character=Character.objects.get_or_create(name="c")[0], images=3, missing=0, difference=value
        )
    assert [(row.value, row.rank) for row in board("ccip").rows] == [(0.2, None), (0.3, None)]


def test_only_scores_of_the_newest_encoder_and_suite_are_compared(log) -> None:
    a, b = log.contestant("a"), log.contestant("b")
    score(a, 0.2)
    score(b, 0.3)
    score(b, 0.1, day=2, encoder="f" * 64)
    assert [row.contestant for row in board("ccip").rows] == ["b epoch 0"]
    then = board("ccip", as_of=START + timedelta(days=1))
    assert [row.contestant for row in then.rows] == ["a epoch 0", "b epoch 0"]


def test_what_is_not_measured_whole_is_provisional_and_said(log) -> None:
    score(log.contestant("a"), 0.2)
    score(log.contestant("b"), None, missing=12, day=1)
    found = board("ccip")
    assert [(row.contestant, row.value, row.provisional) for row in found.rows] == [
        ("a epoch 0", 0.2, False), ("b epoch 0", None, True),
    ]  # fmt: skip
    assert found.head.message == "1 checkpoint has images that are not measured yet."


def test_a_slice_is_one_characters_part(log) -> None:
    alice = Character.objects.create(name="Alice")
    for name, difference in (("a", 0.2), ("b", 0.1)):
        whole = score(log.contestant(name), 0.15)
        CharacterScore.objects.create(score=whole, character=alice, images=3, missing=0, difference=difference)
    rows = board("ccip", cut="character=Alice").rows
    assert [(row.contestant, row.value, row.low, row.rank, row.exposure) for row in rows] == [
        ("b epoch 0", 0.1, None, None, 3), ("a epoch 0", 0.2, None, None, 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("named", "complaint"),
    [
        ({"poll_kind": "duel"}, "has no votes"),
        ({"population": "simulated"}, "has no votes"),
        ({"cut": "content_rating=general"}, "known: character=NAME"),
        ({"cut": "character=Bob"}, "no character 'Bob'"),
        ({"as_of": datetime(2999, 1, 1, tzinfo=UTC)}, "still to come"),
    ],
)
def test_what_only_votes_have_is_refused(db, named: dict, complaint: str) -> None:
    with pytest.raises(UnknownBoardError, match=complaint):
        board("ccip", **named)


def test_nothing_measured_is_a_state(db) -> None:
    assert (board("ccip").head.state, board("ccip").rows) == ("no-scores", [])


def test_page_and_command_show_it(client: Client, log) -> None:
    by_character(log.contestant("a"), [0.15, 0.25], notice="not comparable with CCIP")
    by_character(log.contestant("b"), [0.05, 0.15], notice="not comparable with CCIP")
    page = client.get("/boards/ccip/").content.decode()
    assert ">0.100<" in page
    assert "<strong>24</strong> images measured" in page
    assert "no votes yet" not in page
    assert page.index("Not comparable with CCIP.") < page.index("<details"), "beside the scores, not folded away"
    assert "Which matchups next" not in page
    assert ("Only images of" in page, "Only votes on" in page) == (True, False)
    out = StringIO()
    call_command("leaderboard", "--metric", "ccip", "--format", "json", stdout=out)
    assert [row["value"] for row in json.loads(out.getvalue())] == pytest.approx([0.1, 0.2])
    out = StringIO()
    call_command("leaderboard", "--metric", "ccip", "--format", "markdown", stdout=out)
    said = out.getvalue()
    assert "- 24 images measured; a lower difference is better" in said
    assert said.startswith(
        "## ccip\n\n| rank | contestant | run | epoch | value | 95 % | P(best) | gain | images | licence |"
    )
    assert "up to vote" not in said
    assert "Greyed rows are provisional: images are missing, so they have no rank." in said


def test_nobody_voted_on_it_and_nothing_says_so(client: Client, log) -> None:
    score(log.contestant("a"), 0.2)
    score(log.contestant("b"), None, missing=12)
    for name in ("Alice", "Bob"):
        Character.objects.create(name=name)
    page = client.get("/boards/ccip/").content.decode()
    assert "Only images of" in page
    assert "Only votes on" not in page
    assert "not measured yet</td>" in page
    assert "no votes yet" not in page
    out = StringIO()
    call_command("leaderboard", "--metric", "ccip", "--format", "markdown", stdout=out)
    assert out.getvalue().splitlines()[4].endswith("|  | 12 |  |")
    assert "vote" not in out.getvalue()
