"""Every byte that the booth serves before the vote, searched for everything that names a contestant."""

import io
import re
from itertools import chain

import pytest
from django.db.models import F
from django.test import Client
from PIL import Image

from arena.gallery.models import Checkpoint, Contestant, Sample
from arena.polls.models import Enrolment, Poll, Seat
from tests.arena.votes.building import ready_poll

pytestmark = pytest.mark.django_db
KINDS = ["fixed", "duel", "ffa"]


def served(client: Client, kind: str) -> tuple[list[bytes], list[dict[str, str]]]:
    """The booth's page, its images and their headers, the cookies; and the images' headers again."""
    page = client.get(f"/polls/{kind}/")
    responses = [page]
    images = [client.get(path) for path in re.findall(r'src="(/images/[^"]+)"', page.content.decode())]
    responses += images
    cookies = str(page.cookies).encode()
    texts = [str(sorted(response.headers.items())).encode() for response in responses]
    return [cookies, *texts, *(response.content for response in responses)], [dict(image.headers) for image in images]


def names() -> set[str]:
    """Everything that could tell who it is: names, runs, hashes and their short forms, file names, and folders."""
    found: set[str] = set()
    for checkpoint in Checkpoint.objects.select_related("run"):
        found |= {checkpoint.name, checkpoint.run.name, checkpoint.sha256, checkpoint.sha256[:12], checkpoint.folder}
    for sample in Sample.objects.all():
        found |= {sample.archive.name, sample.blind.name, sample.blind.name.split("/")[1], sample.pixel_sha256}
    return {name.lower() for name in found} | {"epoch", "checkpoint", "secret-run"}


@pytest.mark.parametrize("kind", KINDS)
def test_no_byte_before_the_vote_names_a_contestant(kind: str, client) -> None:
    ready_poll(kind, contestants=5)
    parts, _ = served(client, kind)
    everything = b"\n".join(parts).lower()
    assert len(everything) > 3000
    for name in names():
        assert name.encode() not in everything, name


@pytest.mark.parametrize("kind", KINDS)
def test_no_byte_before_the_vote_is_the_number_of_a_row(kind: str, client) -> None:
    ready_poll(kind, contestants=5)
    far = 7_340_000  # Far from every number that a page has for other reasons.
    Contestant.objects.update(id=F("id") + far)
    Enrolment.objects.update(contestant_id=F("contestant_id") + far)
    Sample.objects.update(id=F("id") + far, contestant_id=F("contestant_id") + far)
    parts, _ = served(client, kind)
    everything = b"\n".join(parts)
    rows = {*Contestant.objects.values_list("pk", flat=True), *Sample.objects.values_list("pk", flat=True)}
    assert len(rows) >= 15
    for row in rows:
        assert row > far
        assert str(row).encode() not in everything


@pytest.mark.parametrize("kind", KINDS)
def test_images_differ_in_their_pixels_only(kind: str, client) -> None:
    poll = ready_poll(kind, contestants=5)
    _, headers = served(client, kind)
    assert len(headers) == poll.seat_count
    for header in headers:
        header.pop("Content-Length")
        # Drawn at random for every request.
        header.pop("X-Request-ID")
        assert header == headers[0]
        assert not {"ETag", "Last-Modified", "Content-Disposition", "Set-Cookie"} & set(header)
        assert header["Cache-Control"] == "private, max-age=3600"
    sizes = set()
    for seat in Seat.objects.all():
        data = client.get(f"/images/{seat.image_key}.png").content
        assert chunks(data) == {"IHDR", "IDAT", "IEND"}
        with Image.open(io.BytesIO(data)) as image:
            sizes.add((image.size, image.mode))
            assert not image.info
    assert len(sizes) == 1


def test_image_names_are_new_in_every_matchup(client) -> None:
    ready_poll("duel", contestants=2, prompts=1)
    pages = [Client().get("/polls/duel/").content.decode() for _ in range(3)]
    keys = set(chain.from_iterable(re.findall(r"/images/([\w-]+)\.png", page) for page in pages))
    assert len(keys) == 6
    assert Sample.objects.count() == 2
    assert Poll.objects.get().matchups.count() == 3


def chunks(png: bytes) -> set[str]:
    """Names of a PNG's chunks, read by the file format: length, name, data, checksum."""
    found, at = set(), 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        found.add(png[at + 4 : at + 8].decode())
        at += 12 + length
    return found
