"""Images in an S3-compatible bucket, behind a real server: written by an evaluation, served blind by the booth."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from moto.server import ThreadedMotoServer

from arena.errors import MissingError, StoreError
from arena.evaluations import running
from arena.evaluations.seeding import seed
from arena.gallery.models import Sample
from arena.gallery.registering import register
from arena.polls.models import Seat
from generation.tiny import write_tiny_checkpoint
from tests.arena.tiny import tiny_folder
from tests.arena.votes.building import ready_poll
from tests.site import free_port

__all__ = ["tiny_folder"]
BUCKET = "arena-images"


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The address of an S3 server of this module's own."""
    port = free_port()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


def in_bucket(settings, endpoint: str, bucket: str = BUCKET) -> None:
    options = {"bucket_name": bucket, "endpoint_url": endpoint}
    options |= {"access_key": "key", "secret_key": "secret", "region_name": "us-east-1"}
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "arena.storing.BucketStorage", "OPTIONS": options},
    }


@pytest.fixture
def bucket(settings, store: str) -> Iterator[str]:
    """An empty bucket that the arena keeps its images in."""
    in_bucket(settings, store)
    held = default_storage.bucket
    held.create()
    yield store
    held.objects.all().delete()
    held.delete()
    default_storage.connection.meta.client.close()


def seen(client: Client) -> tuple[str, list[str]]:
    """The booth's page and the addresses of its images."""
    page = client.get("/polls/duel/").content.decode()
    return page, [f"/images/{key}.png" for key in Seat.objects.values_list("image_key", flat=True)]


def test_an_evaluation_writes_to_the_bucket_and_the_booth_serves_from_it(
    bucket: str, db: None, client: Client, tiny_folder: Path, tmp_path: Path, settings
) -> None:
    settings.ARENA_RENDER_THREADS = 1
    settings.MEDIA_ROOT = tmp_path / "media"
    seed(None)
    write_tiny_checkpoint(tmp_path / "two", seed=1, epoch=2)
    for folder in (tiny_folder, tmp_path / "two"):
        run, _ = running.start(register(folder)[0])
        running.advance(run.pk, seconds=0)
    names = {summary.key for summary in default_storage.bucket.objects.all()}
    assert names == {name for sample in Sample.objects.all() for name in (sample.archive.name, sample.blind.name)}
    assert not settings.MEDIA_ROOT.exists()

    page, images = seen(client)
    assert len(images) >= 2
    for text in (bucket, BUCKET, "X-Amz", "blind/"):
        assert text not in page
    for address in images:
        answer = client.get(address)
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
        assert answer.content.startswith(b"\x89PNG")
        assert "Location" not in answer


def test_a_missing_object_is_a_503_and_a_log_line(bucket: str, db: None, client: Client, caplog) -> None:
    ready_poll("duel", contestants=2)
    _, images = seen(client)
    default_storage.bucket.objects.all().delete()
    answer = client.get(images[0])
    assert (answer.status_code, "Retry-After" in answer) == (503, True)
    assert "is missing" in caplog.text or "store has no" in caplog.text
    with pytest.raises(MissingError):
        Sample.objects.first().blind.open("rb")


def test_a_store_that_is_down_is_a_503_and_nothing_half_written(settings, db: None, client: Client, caplog) -> None:
    settings.MEDIA_ROOT = settings.HOME / "media-before"
    # Else the public page may keep back the very sample that is asked for below, since it is being judged.
    settings.ARENA_WITHHOLD_MINUTES = 0
    ready_poll("duel", contestants=2)
    _, images = seen(client)
    in_bucket(settings, f"http://127.0.0.1:{free_port()}")
    assert client.get(images[0]).status_code == 503
    sample = Sample.objects.first()
    assert client.get(f"/samples/{sample.pk}.png").status_code == 503
    with pytest.raises(StoreError):
        default_storage.save("archive/new.png", sample.archive)


def test_a_bucket_that_does_not_exist_is_found_by_the_check(settings, store: str) -> None:
    in_bucket(settings, store, "no-such-bucket")
    with pytest.raises(StoreError, match="no-such-bucket"):
        default_storage.check_bucket()
