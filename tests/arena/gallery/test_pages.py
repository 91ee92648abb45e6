"""Pages that name checkpoints."""

import io
from pathlib import Path

import pytest
from django.test import Client
from PIL import Image

from arena.evaluations.seeding import seed
from arena.gallery.models import Checkpoint, Contestant, Prompt, Run, Sample
from arena.gallery.registering import register
from arena.gallery.rendering import render_missing
from generation.tiny import write_tiny_checkpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def rendered(tiny_folder: Path, media: Path, small_dataset: Path) -> Contestant:
    seed(small_dataset)
    contestant, _ = register(tiny_folder)
    prompt = Prompt.objects.filter(character__name="akari").first()
    render_missing(contestant, [(prompt, 1001), (Prompt.objects.get(text__contains="twintails, green eyes"), 1001)])
    return contestant


def test_checkpoint_page_shows_manifest_licence_and_samples(client: Client, rendered: Contestant) -> None:
    checkpoint = rendered.checkpoint
    page = client.get(f"/checkpoints/{checkpoint.sha256[:12]}/")
    text = page.content.decode()
    for expected in (
        checkpoint.name,
        checkpoint.sha256,
        checkpoint.licence,
        "euler_a, 2 steps",
        "&quot;schema&quot;: 1",
    ):
        assert expected in text
    assert [f"/samples/{s.pk}.png" in text for s in Sample.objects.all()] == [True, True]


def test_run_page_lines_up_epochs_by_prompt_and_seed(client: Client, rendered: Contestant, tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path / "epoch-2", seed=1, epoch=2)
    second, _ = register(tmp_path / "epoch-2")
    first_sample = Sample.objects.order_by("pk").first()
    render_missing(second, [(first_sample.prompt, first_sample.seed)])
    page = client.get(f"/runs/{rendered.checkpoint.run.name}/")
    rows = page.context["rows"]
    assert [row.checkpoint.epoch for row in rows] == [1, 2]
    assert [[cell is not None for cell in row.cells] for row in rows] == [[True, True], [True, False]]
    assert "/characters/akari/1.png" in page.content.decode()
    for row in rows:
        for (prompt, seed_), cell in zip(page.context["columns"], row.cells, strict=True):
            assert cell is None or (cell.prompt, cell.seed) == (prompt, seed_)


def test_run_starts_with_the_checkpoint_it_came_from(client: Client, rendered: Contestant, tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path / "child", seed=1, epoch=1, run="child")
    child, _ = register(tmp_path / "child")
    Checkpoint.objects.filter(pk=child.checkpoint_id).update(parent=rendered.checkpoint)
    rows = client.get("/runs/child/").context["rows"]
    assert [row.checkpoint.run.name for row in rows] == ["tiny", "child"]


def test_sample_is_the_blind_copy(client: Client, rendered: Contestant) -> None:
    answer = client.get(f"/samples/{Sample.objects.first().pk}.png")
    content = b"".join(answer.streaming_content)
    assert answer["Content-Type"] == "image/png"
    assert answer["Cache-Control"] == "private, max-age=600"
    with Image.open(io.BytesIO(content)) as image:
        assert image.info == {}


def test_reference_is_the_data_sets_picture(client: Client, rendered: Contestant, small_dataset: Path) -> None:
    answer = client.get("/characters/goro/2.png")
    assert b"".join(answer.streaming_content) == (small_dataset / "images" / "goro-2.png").read_bytes()


@pytest.mark.parametrize(
    "path",
    ["/runs/none/", "/checkpoints/123456789012/", "/checkpoints/1/", "/samples/99.png", "/characters/goro/3.png",
     "/characters/goro/0.png", "/characters/nobody/1.png"],
)  # fmt: skip
def test_what_is_not_there_is_404(client: Client, rendered: Contestant, path: str) -> None:
    assert client.get(path).status_code == 404


def test_image_gone_from_the_store_is_404(client: Client, rendered: Contestant, media: Path) -> None:
    sample = Sample.objects.first()
    (media / sample.blind.name).unlink()
    assert client.get(f"/samples/{sample.pk}.png").status_code == 404


def test_run_without_checkpoints_says_so(client: Client, rendered: Contestant) -> None:
    Run.objects.create(name="fresh")
    assert "No checkpoint of this run" in client.get("/runs/fresh/").content.decode()
