"""Every image of a small real demo set comes out again, and one that was changed does not."""

import dataclasses
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from arena.evaluations.prompts import FREE, SEEDS
from arena.gallery.importing import Identity, import_images
from arena.gallery.models import Contestant, Prompt, PromptSet, Sample
from arena.gallery.registering import register
from arena.gallery.rendering import render_missing
from generation.imageio import archive_png, read_archive
from training.base_files import unpack_base

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="session")
def base_folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The demo's first checkpoints: the committed base and its earlier epochs."""
    return unpack_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def contestants(base_folders: list[Path], media: Path) -> list[Contestant]:
    """Two of them, with two of the demo's prompts and both seeds each."""
    prompts = PromptSet.objects.create(slug="free", title="Free prompts", seeds=list(SEEDS))
    asked = [Prompt.objects.create(prompt_set=prompts, text=text) for text in FREE[:2]]
    found = [register(folder)[0] for folder in base_folders[-2:]]
    for contestant in found:
        assert render_missing(contestant, [(prompt, seed) for prompt in asked for seed in SEEDS]) == 4
    return found


def test_all_of_them_pass_and_imported_ones_are_told_apart(contestants, tmp_path: Path, capsys) -> None:
    prompt = Prompt.objects.first()
    Image.effect_noise((32, 32), 50).convert("RGB").save(tmp_path / "one.png")
    (tmp_path / "table.csv").write_text(f"prompt,seed,file\n{prompt.pk},{SEEDS[0]},one.png\n")
    import_images(tmp_path, tmp_path / "table.csv", Identity("closed"))
    call_command("verify_samples")
    assert "9 samples: 8 exact, 1 imported" in capsys.readouterr().out
    call_command("verify_samples", contestants[0].checkpoint.name, "--every", "2")
    assert "2 samples: 2 exact" in capsys.readouterr().out


def test_what_was_changed_is_named(contestants, capsys) -> None:
    one, two, three = Sample.objects.order_by("pk")[:3]
    path = Path(one.archive.path)
    image, manifest = read_archive(path.read_bytes())
    image.putpixel((3, 3), (1, 2, 3))
    path.write_bytes(archive_png(image, manifest))
    recipe = dataclasses.replace(two.contestant.frozen_recipe(), cfg=3.0).to_dict()
    image, manifest = read_archive(Path(two.archive.path).read_bytes())
    Path(two.archive.path).write_bytes(archive_png(image, {**manifest, "recipe": recipe}))
    Path(three.archive.path).unlink()
    with pytest.raises(CommandError, match="3 samples do not come out"):
        call_command("verify_samples")
    out = capsys.readouterr().out
    assert "5 exact, 3 different" in out or "3 different, 5 exact" in out
    assert f"sample {one.pk} ({one}): the archive's pixels are not those of the row" in out
    assert f"sample {two.pk} ({two}): " in out
    assert "pixels" in out
    assert "No such file" in out


def test_names_and_numbers_that_do_not_fit_are_refused(media) -> None:
    with pytest.raises(CommandError, match="no such checkpoint"):
        call_command("verify_samples", "nobody")
    with pytest.raises(CommandError, match="--every must be at least 1"):
        call_command("verify_samples", "--every", "0")
