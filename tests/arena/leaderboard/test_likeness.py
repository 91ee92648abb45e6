"""Which of two contestants is nearer to the characters: on the page, by the command and in the API."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from jsonschema import Draft202012Validator
from scipy import stats

from arena.api.schemas import SCHEMAS
from arena.evaluations.models import CheckpointScore
from arena.leaderboard.likeness import likeness
from tests.arena.leaderboard.test_compare_page import asked, short
from tests.arena.leaderboard.test_comparing import duels
from tests.rating.ccip.world import images, score_of

pytestmark = pytest.mark.django_db
NOTICE = "not comparable with CCIP"


@pytest.fixture
def values() -> np.ndarray:
    """(2, 10, 4) differences; the second checkpoint is nearer by .05."""
    return images(np.random.default_rng(0), 10, 4, -0.05)


def keep(contestant, values: np.ndarray, **other) -> CheckpointScore:
    """A score whose images are at these differences (characters, seeds)."""
    measured = score_of(str(contestant), values)
    fields = {"encoder": "e" * 64, "encoder_name": "own/1", "suite": "s" * 64, "threshold": 0.3, "notice": NOTICE}
    return CheckpointScore.objects.create(
        contestant=contestant, images=values.size, missing=0, difference=float(values.mean()), interval="t",
        result=measured.to_json(), **fields | other,
    )  # fmt: skip


def test_two_are_paired_over_characters(log, values: np.ndarray) -> None:
    a, b = log.contestant("run:1"), log.contestant("run:2")
    keep(a, values[0])
    keep(b, values[1])
    found, turned = likeness(a, b), likeness(b, a)
    expected = stats.ttest_rel(values[1].mean(axis=1), values[0].mean(axis=1))
    assert found.value == pytest.approx((values[1] - values[0]).mean())
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-6)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6)
    assert (found.verdict, found.characters, found.images, found.dropped) == (str(b), 10, 40, 0)
    assert (turned.verdict, turned.value) == (str(b), pytest.approx(-found.value))
    narrower = likeness(a, b, level=0.8)
    assert found.low < narrower.low < narrower.high < found.high


def test_only_what_one_encoder_measured_on_one_suite_is_compared(log, values: np.ndarray) -> None:
    a, b = log.contestant("run:1"), log.contestant("run:2")
    assert likeness(a, b) is None
    keep(a, values[0])
    keep(b, values[1] + 0.5, encoder="f" * 64)
    assert likeness(a, b) is None
    keep(b, values[1])
    keep(b, values[1] + 0.5, suite="t" * 64)
    assert likeness(a, b).value == pytest.approx((values[1] - values[0]).mean()), "the newest that both have"


def test_equals_are_undecided_and_scores_without_a_common_image_say_nothing(log, values: np.ndarray) -> None:
    a, b, c = (log.contestant(f"run:{epoch}") for epoch in (1, 2, 3))
    keep(a, values[0])
    keep(b, values[0])
    nothing = keep(c, values[0])
    CheckpointScore.objects.filter(pk=nothing.pk).update(result={**nothing.result, "images": []})
    assert (likeness(a, b).verdict, likeness(a, b).value) == ("undecided", 0)
    assert likeness(a, c) is None


def test_page_command_and_api_say_it_whatever_the_votes(client: Client, log, values: np.ndarray) -> None:
    a, b = log.contestant("run:1"), log.contestant("run:2")
    keep(a, values[0])
    keep(b, values[1])
    page = asked(log, client, "run:1", "run:2")
    assert "No answer yet" in page
    assert "run epoch 2 is nearer." in page
    value = (values[1] - values[0]).mean()
    assert f"run epoch 2 less run epoch 1: \N{MINUS SIGN}{-value:.3f}; lower is nearer." in page
    assert "over 10 characters" in page
    assert "Not comparable with CCIP." in page
    out = StringIO()
    with pytest.raises(CommandError, match="no-votes"):
        call_command("compare", short(log, "run:1"), short(log, "run:2"), stdout=out)
    said = "Likeness to 10 characters by own/1, measured and not voted: run epoch 2 is nearer. Mean difference of"
    assert said in out.getvalue()
    duels(log, "run:1", "run:2", a_wins=8, b_wins=24)
    out = StringIO()
    call_command("compare", short(log, "run:1"), short(log, "run:2"), stdout=out)
    assert "Elo points" in out.getvalue()
    assert said in out.getvalue()
    out = StringIO()
    call_command("compare", short(log, "run:1"), short(log, "run:2"), "--format", "json", stdout=out)
    assert "Likeness" not in out.getvalue()
    query = f"/api/comparisons?a={short(log, 'run:1')}&b={short(log, 'run:2')}"
    told = client.get(query, headers={"Authorization": "Bearer token-of-the-tests"}).json()
    assert (told["likeness"]["value"], told["likeness"]["verdict"]) == (pytest.approx(value), "run epoch 2")
    schema = {**SCHEMAS["Comparison"], "components": {"schemas": SCHEMAS}}
    assert list(Draft202012Validator(schema).iter_errors(told)) == []


def test_an_earlier_moment_knows_the_scores_until_then(log, values: np.ndarray) -> None:
    a, b = log.contestant("run:1"), log.contestant("run:2")
    early, late = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3))
    for suite, moment, measured in (("s" * 64, early, values[0]), ("t" * 64, late, values[1])):
        keep(a, values[0], suite=suite, measured_at=moment)
        keep(b, measured, suite=suite, measured_at=moment)
    assert likeness(a, b).verdict == str(b)
    assert likeness(a, b, as_of=late - timedelta(days=1)).verdict == "undecided"
    assert likeness(a, b, as_of=early - timedelta(days=1)) is None


def test_a_score_that_cannot_be_read_is_told_and_hides_no_votes(
    client: Client, log, values: np.ndarray, caplog
) -> None:
    duels(log, "run:1", "run:2", a_wins=8, b_wins=24)
    keep(log.contestants["run:1"], values[0])
    damaged = keep(log.contestants["run:2"], values[1])
    damaged.result = {}
    damaged.save()
    page = asked(log, client, "run:1", "run:2")
    assert "nearer" not in page
    assert "Elo" in page
    assert "a stored score of run epoch 1 or run epoch 2 cannot be read" in caplog.text


def test_the_page_says_what_only_one_of_them_has(client: Client, log, values: np.ndarray) -> None:
    a, b = log.contestant("run:1"), log.contestant("run:2")
    keep(a, values[0])
    keep(b, values[1][:, :3])
    assert likeness(a, b).dropped == 10
    assert "Left out are 10 images that only one of them has." in asked(log, client, "run:1", "run:2")


def test_without_a_score_the_page_says_nothing_of_it(client: Client, log) -> None:
    duels(log, "run:1", "run:2", a_wins=8, b_wins=24)
    assert "nearer" not in asked(log, client, "run:1", "run:2")
