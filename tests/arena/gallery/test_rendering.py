"""Missing samples are rendered once, whole or not at all."""

import io
import shutil
from pathlib import Path

import pytest
from django.db.models.fields.files import FieldFile
from PIL import Image

from arena.gallery.models import Contestant, Prompt, PromptSet, Sample
from arena.gallery.registering import register
from arena.gallery.rendering import Job, _keep, missing, render_missing
from generation.checkpoint import CheckpointError
from generation.errors import Cancelled
from generation.imageio import pixel_sha256, read_archive
from generation.tiny import write_tiny_checkpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def contestant(tiny_folder: Path, media: Path) -> Contestant:
    return register(tiny_folder)[0]


@pytest.fixture
def jobs() -> list[Job]:
    prompts = PromptSet.objects.create(slug="any", title="Any", seeds=[7, 8])
    texts = ("1girl, solo, red hair", "1boy, solo, blue hair", "1girl, solo, smile")
    asked = [Prompt.objects.create(prompt_set=prompts, text=text) for text in texts]
    return [(prompt, seed) for prompt in asked for seed in (7, 8)]


def files(media: Path) -> list[str]:
    return sorted(path.relative_to(media).as_posix() for path in media.rglob("*") if path.is_file())


def content(file: FieldFile) -> bytes:
    with file.open() as opened:
        return opened.read()


def test_every_job_becomes_one_row_with_both_files(contestant: Contestant, jobs: list[Job], media: Path) -> None:
    seen: list[Sample] = []
    assert render_missing(contestant, jobs, on_sample=seen.append) == 6
    assert [(s.prompt_id, s.seed) for s in seen] == [(prompt.pk, seed) for prompt, seed in jobs]
    assert files(media) == sorted([s.archive.name for s in seen] + [s.blind.name for s in seen])
    assert len({s.pixel_sha256 for s in seen}) == 6, "every prompt and seed has an image of its own"


def test_archive_carries_the_manifest_and_the_blind_copy_nothing(contestant, jobs, settings) -> None:
    render_missing(contestant, jobs[:1])
    sample = Sample.objects.get()
    image, manifest = read_archive(content(sample.archive))
    assert pixel_sha256(image) == sample.pixel_sha256
    assert manifest == sample.manifest
    assert manifest["seed"] == 7
    with Image.open(io.BytesIO(content(sample.blind))) as blind:
        blind.load()
        assert blind.info == {}
        assert blind.size == (64 * settings.ARENA_BLIND_SCALE, 64 * settings.ARENA_BLIND_SCALE)
    assert contestant.checkpoint.sha256[:8] not in sample.blind.name


def test_again_renders_nothing(contestant: Contestant, jobs: list[Job]) -> None:
    render_missing(contestant, jobs[:2])
    assert missing(contestant, jobs) == jobs[2:]
    assert render_missing(contestant, jobs[:2] + jobs[:1]) == 0
    assert Sample.objects.count() == 2


def test_an_image_does_not_depend_on_the_company_it_is_rendered_in(contestant: Contestant, jobs: list[Job]) -> None:
    render_missing(contestant, jobs)
    together = Sample.objects.get(prompt=jobs[4][0], seed=8).pixel_sha256
    Sample.objects.all().delete()
    render_missing(contestant, [(jobs[4][0], 8)])
    assert Sample.objects.get().pixel_sha256 == together


def test_crash_before_the_row_leaves_files_that_the_next_attempt_replaces(contestant, jobs, media, monkeypatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Sample, "save", lambda *args, **kwargs: (_ for _ in ()).throw(OSError("power cut")))
        with pytest.raises(OSError, match="power cut"):
            render_missing(contestant, jobs[:1])
    assert not Sample.objects.exists()
    left = files(media)
    assert len(left) == 2
    (media / left[0]).write_bytes(b"half a file")
    assert render_missing(contestant, jobs[:1]) == 1
    assert files(media) == left
    assert read_archive(content(Sample.objects.get().archive))[1]["seed"] == 7


def test_whoever_comes_second_adds_nothing(contestant: Contestant, jobs: list[Job], media: Path) -> None:
    render_missing(contestant, jobs[:1])
    sample = Sample.objects.get()
    before = (media / sample.archive.name).stat().st_mtime_ns

    class Late:
        image = Image.new("RGB", (64, 64))
        manifest: dict[str, object] = {}  # noqa: RUF012

    assert _keep(contestant, *jobs[0], Late()) is None
    assert (media / sample.archive.name).stat().st_mtime_ns == before
    assert Sample.objects.count() == 1


def test_stopping_leaves_nothing_of_the_current_batch(contestant: Contestant, jobs: list[Job], media: Path) -> None:
    with pytest.raises(Cancelled):
        render_missing(contestant, jobs, should_stop=lambda: True)
    assert (Sample.objects.count(), files(media)) == (0, [])


def test_changed_weights_are_refused(tiny_folder: Path, tmp_path: Path, media: Path, jobs: list[Job]) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "changing")
    contestant, _ = register(folder)
    shutil.rmtree(folder)
    write_tiny_checkpoint(folder, seed=9, epoch=1)
    with pytest.raises(CheckpointError, match="now holds other weights"):
        render_missing(contestant, jobs)
    assert not Sample.objects.exists()
