"""Which scores may be set beside each other."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from arena.evaluations.models import CheckpointScore
from arena.gallery.models import Checkpoint, Contestant, Run

pytestmark = pytest.mark.django_db


@pytest.fixture
def contestants() -> list[Contestant]:
    run = Run.objects.create(name="run")
    checkpoints = [Checkpoint.objects.create(run=run, name=f"e{n}", epoch=n, sha256=str(n) * 64) for n in (1, 2)]
    return [Contestant.objects.create(checkpoint=c, recipe={}, recipe_sha256="r") for c in checkpoints]


def score(contestant: Contestant, **fields: Any) -> CheckpointScore:
    values = {"encoder": "e", "suite": "s", "threshold": 0.1, "images": 4, "missing": 0} | fields
    return CheckpointScore.objects.create(contestant=contestant, **values)


def test_current_scores_share_encoder_suite_and_threshold(contestants: list[Contestant]) -> None:
    now = timezone.now()
    one, two = contestants
    score(one, suite="old", measured_at=now - timedelta(hours=1))
    score(two, encoder="other", measured_at=now - timedelta(hours=1))
    score(two, threshold=0.2, measured_at=now - timedelta(hours=1))
    kept = [score(one, measured_at=now), score(two, measured_at=now)]
    score(one, suite="half", missing=1, measured_at=now + timedelta(hours=1))
    assert set(CheckpointScore.objects.current()) == set(kept), "an incomplete one does not set the standard"


def test_incomplete_scores_are_current_where_there_are_no_others(contestants: list[Contestant]) -> None:
    assert not CheckpointScore.objects.current()
    only = score(contestants[0], missing=1)
    assert list(CheckpointScore.objects.current()) == [only]
    assert not only.complete


def test_no_contestant_is_scored_twice_for_the_same(contestants: list[Contestant]) -> None:
    score(contestants[0])
    with transaction.atomic(), pytest.raises(IntegrityError):
        score(contestants[0])
