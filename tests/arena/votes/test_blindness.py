"""Every byte that the booth serves before the vote, searched for everything that names a contestant."""

import base64
import io
import re
from collections.abc import Callable
from itertools import chain

import pytest
from django.core.files.base import ContentFile
from django.db.models import F
from django.test import Client
from PIL import Image

from arena.gallery.models import Checkpoint, Contestant, PromptSet, Run, Sample
from arena.polls.models import Enrolment, Poll, Seat
from arena.votes import blinding
from arena.votes.models import Ticket
from generation.imageio import blind_png
from tests.arena.votes.blind_search import chunks, names, parts_of, spellings, told, walk
from tests.arena.votes.building import enrol, make_contestant, make_poll, ready_poll

pytestmark = pytest.mark.django_db
KINDS = ["fixed", "duel", "ffa"]
FAR = (
    734_000_000_000_000  # Far from every number that a page has for other reasons, and too long to be drawn by chance.
)


def secret_poll(kind: str) -> Poll:
    """A poll whose prompt set's name is a secret too."""
    poll = ready_poll(kind, contestants=5)
    PromptSet.objects.update(slug=f"secret-set-{kind}", title=f"Secret title of {kind}")
    return poll


def image_paths(client: Client, kind: str) -> list[str]:
    """The addresses of the images on the booth's page."""
    return re.findall(r'src="(/images/[^"]+)"', client.get(f"/polls/{kind}/").content.decode())


def fetch_booth(client: Client, kind: str) -> list[bytes]:
    """All of a voter's way up to the reveal: matchup, vote as page and as JSON, recorded page, the next matchup."""
    parts = walk(client, f"/polls/{kind}/")
    parts += parts_of(client.get(f"/polls/{kind}/", headers={"sec-purpose": "prefetch"}))
    ticket = Ticket.objects.order_by("-pk").first()
    form = {"ticket": ticket.token, "outcome": "1"}
    parts += parts_of(client.post(f"/polls/{kind}/vote", form, headers={"accept": "application/json"}))
    as_page = client.post(f"/polls/{kind}/vote", form)
    return parts + parts_of(as_page) + walk(client, as_page["Location"]) + walk(client, f"/polls/{kind}/")


@pytest.mark.parametrize("kind", KINDS)
def test_no_byte_before_the_reveal_names_a_contestant(kind: str, client) -> None:
    poll = secret_poll(kind)
    parts = fetch_booth(client, kind)
    assert len(b"".join(parts)) > 10_000
    assert sum(part.startswith(b"\x89PNG") for part in parts) >= 2 * poll.seat_count
    assert told(parts, names()) == []
    words = b"\n".join(part for part in parts if b"<html" in part).lower()
    assert not re.search(rb"epoch\W*\d|\bsteps?\s+\d|\bsampler|\bcfg\b", words)


@pytest.mark.parametrize("kind", KINDS)
def test_no_byte_before_the_vote_is_the_number_of_a_row(kind: str, client) -> None:
    ready_poll(kind, contestants=5)
    Contestant.objects.update(id=F("id") + FAR)
    Enrolment.objects.update(contestant_id=F("contestant_id") + FAR)
    Sample.objects.update(id=F("id") + FAR, contestant_id=F("contestant_id") + FAR)
    Checkpoint.objects.update(id=F("id") + 2 * FAR, run_id=F("run_id") + 3 * FAR)
    Contestant.objects.update(checkpoint_id=F("checkpoint_id") + 2 * FAR)
    Run.objects.update(id=F("id") + 3 * FAR)
    parts = b"\n".join(fetch_booth(client, kind))
    models = (Contestant, Sample, Checkpoint, Run)
    rows = set(chain.from_iterable(model.objects.values_list("pk", flat=True) for model in models))
    assert len(rows) >= 21
    assert min(rows) > FAR
    for row in rows:
        assert str(row).encode() not in parts
        assert f"{row:x}".encode() not in parts.lower()


LEAKS: list[Callable[[str], bytes]] = [
    lambda name: name.encode(),
    lambda name: name.upper().encode(),
    lambda name: name.encode().hex().encode(),
    lambda name: base64.b64encode(b"{" + name.encode() + b"}"),
    lambda name: base64.b64encode(b'{"' + name.encode() + b'"}'),
    lambda name: base64.urlsafe_b64encode(name.encode()),
    lambda name: name.replace(" ", "%20").encode(),
    lambda name: name[::-1].encode(),
]


@pytest.mark.parametrize("leak", LEAKS)
def test_the_search_finds_a_name_in_every_spelling(leak: Callable[[str], bytes]) -> None:
    name = "secret-run epoch 3"
    assert told([b"<html>" + leak(name) + b"</html>"], [name, "another-name"]) == [name]
    assert all(len(form) >= 6 for form in spellings(name))


@pytest.mark.parametrize("kind", KINDS)
def test_images_differ_in_their_pixels_only(kind: str, client) -> None:
    poll = ready_poll(kind, contestants=5)
    answers = [client.get(path) for path in image_paths(client, kind)]
    assert len(answers) == poll.seat_count
    for answer in answers:
        header = dict(answer.headers)
        header.pop("Content-Length", None)
        # Drawn at random for every request.
        header.pop("X-Request-ID", None)
        first = dict(answers[0].headers)
        assert header == {name: first[name] for name in header}
        assert not {"ETag", "Last-Modified", "Content-Disposition", "Set-Cookie", "Server-Timing", "Age"} & set(header)
        assert header["Cache-Control"] == "private, max-age=3600"
    heads = set()
    for answer in answers:
        parts = chunks(answer.content)
        assert {name for name, _ in parts} == {"IHDR", "IDAT", "IEND"}
        header = dict(parts)["IHDR"]
        packed = b"".join(data for name, data in parts if name == "IDAT")
        # Size, depth, colours, filter method, and the packing's own two bytes, which tell the level.
        heads.add((header, packed[:2]))
        with Image.open(io.BytesIO(answer.content)) as image:
            assert not image.info
    assert len(heads) == 1


def test_contestants_that_render_at_different_sizes_are_served_at_one(client, monkeypatch) -> None:
    worked = []
    plain = blinding.resized
    monkeypatch.setattr(blinding, "resized", lambda *given: worked.append(len(given[0])) or plain(*given))
    poll = make_poll("ffa", prompts=1)
    sizes = [(16, 16), (24, 16), (24, 24), (16, 32)]
    for epoch, (width, height) in enumerate(sizes, 1):
        contestant = make_contestant(epoch)
        enrol(poll, contestant)
        Contestant.objects.filter(pk=contestant.pk).update(
            recipe=contestant.recipe | {"width": width, "height": height}
        )
        sample = contestant.samples.get()
        sample.blind.delete(save=False)
        picture = Image.new("RGB", (width, height), (40 * epoch, 0, 0))
        sample.blind.save("sample.png", ContentFile(blind_png(picture)), save=True)
    served = []
    for path in image_paths(client, "ffa"):
        content = client.get(path).content
        assert [name for name, _ in chunks(content)] == ["IHDR", "IDAT", "IEND"]
        with Image.open(io.BytesIO(content)) as image:
            served.append((image.size, image.mode))
            assert image.getpixel((4, 4))[0] % 40 == 0
    assert served == [((16, 16), "RGB")] * 4
    # Whichever image is asked for, the same work is done.
    assert len(worked) == 16
    assert len({tuple(worked[start : start + 4]) for start in range(0, 16, 4)}) == 1


def test_the_same_picture_weighs_the_same_whoever_rendered_it(client) -> None:
    poll = ready_poll("duel", contestants=2, prompts=1)
    picture = Image.effect_noise((32, 32), 40).convert("RGB")
    for sample in Sample.objects.filter(prompt__prompt_set=poll.prompt_set):
        # One was saved as a photograph, with everything that such a file carries.
        stream = io.BytesIO()
        picture.save(stream, format="PNG", dpi=(72, 72), compress_level=1 + sample.pk % 2 * 8)
        sample.blind.delete(save=False)
        with Image.open(stream) as loaded:
            sample.blind.save("sample.png", ContentFile(blind_png(loaded)), save=True)
    contents = {client.get(path).content for path in image_paths(client, "duel")}
    assert len(contents) == 1


def test_image_names_are_new_in_every_matchup(client) -> None:
    ready_poll("duel", contestants=2, prompts=1)
    keys = set(chain.from_iterable(image_paths(Client(), "duel") for _ in range(3)))
    assert len(keys) == 6
    assert Sample.objects.count() == 2
    assert Poll.objects.get().matchups.count() == 3


def test_an_image_that_does_not_exist_says_the_same_whatever_is_asked(client) -> None:
    secret_poll("duel")
    sample = Sample.objects.first()
    stem = sample.blind.name.split("/")[1].removesuffix(".png")
    answers = [client.get(f"/images/{key}.png") for key in ("nothing", stem, sample.pixel_sha256[:18], "a" * 300)]
    assert {answer.status_code for answer in answers} == {404}
    assert told([part for answer in answers for part in parts_of(answer)], names()) == []
    assert client.get(f"/media/{sample.blind.name}").status_code == 404
    assert client.get(f"/{sample.blind.name}").status_code == 404


def test_a_missing_file_is_told_without_its_name(client, caplog) -> None:
    secret_poll("duel")
    path = image_paths(client, "duel")[0]
    seat = Seat.objects.get(image_key=path.split("/")[2].removesuffix(".png"))
    seat.sample.blind.storage.delete(seat.sample.blind.name)
    answer = client.get(path)
    assert answer.status_code == 503
    assert told(parts_of(answer), names()) == []


def test_the_public_pages_do_not_show_what_this_voter_is_judging(client) -> None:
    secret_poll("duel")
    client.get("/polls/duel/")
    for seat in Seat.objects.select_related("sample__contestant__checkpoint"):
        assert client.get(f"/samples/{seat.sample_id}.png").status_code == 404
        page = client.get(f"/checkpoints/{seat.sample.contestant.checkpoint.sha256[:12]}/").content.decode()
        assert f"/samples/{seat.sample_id}.png" not in page
