"""Samples from before pairing compared conditions get theirs."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from arena.gallery.models import Sample
from generation.matchup import conditions_hash
from tests.arena.votes.building import ready_poll

pytestmark = pytest.mark.django_db(transaction=True)


def latest() -> list[tuple[str, str]]:
    return MigrationExecutor(connection).loader.graph.leaf_nodes("gallery")


def test_older_samples_get_the_conditions_of_their_manifests(media) -> None:
    ready_poll("duel", contestants=2, prompts=3)
    Sample.objects.filter(contestant__checkpoint__epoch=2, seed=11, prompt=Sample.objects.first().prompt).update(
        manifest={}
    )
    try:
        MigrationExecutor(connection).migrate([("gallery", "0003_upsampled_prompts")])
    finally:
        MigrationExecutor(connection).migrate(latest())
    found = dict(Sample.objects.values_list("pk", "conditions"))
    assert found == {one.pk: conditions_hash(one.manifest) if one.manifest else None for one in Sample.objects.all()}
    assert list(found.values()).count(None) == 1
