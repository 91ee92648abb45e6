"""Probes of contestants: rendered by their recipe, kept as rows, shown on pages, held against people's votes."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from arena.evaluations.models import ProbeScore
from arena.evaluations.probing import probe
from arena.gallery.models import Contestant
from arena.gallery.registering import register
from generation.imageio import read_archive
from generation.lora_file import LoraRef
from generation.probes.probe import find_probe, names
from generation.tiny import write_tiny_checkpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def contestant(media: Path, settings, tmp_path: Path, tiny_folder: Path) -> Contestant:
    settings.HOME = tmp_path / "home"
    call_command("register_checkpoint", str(tiny_folder), "--no-evaluate")
    return Contestant.objects.get()


def test_every_probe_has_a_title() -> None:
    assert set(ProbeScore.Name.values) == set(names())
    assert {name.value: name.label for name in ProbeScore.Name} == {name: find_probe(name).title for name in names()}


def test_a_probe_is_kept_and_shown(contestant: Contestant, capsys: pytest.CaptureFixture[str], settings) -> None:
    call_command("evaluate", contestant.checkpoint.name, "--probe", "padding", "--probe-prompts", "demo")
    shown = capsys.readouterr().out
    assert "Effect of padding of tiny epoch 1, 48 images" in shown
    assert "less is better" in shown
    score = ProbeScore.objects.get()
    cases = [numbers["effect"] for numbers in score.result["cases"].values()]
    assert score.value == pytest.approx(sum(cases) / 3)
    assert score.value_low < score.value < score.value_high
    files = list((settings.HOME / "probes").rglob("*.png"))
    assert len(files) == score.images == 48
    _, manifest = read_archive(files[0].read_bytes())
    assert manifest["checkpoint"]["sha256"] == contestant.checkpoint.sha256
    page = Client().get(f"/checkpoints/{contestant.checkpoint.sha256[:12]}/").content.decode()
    assert "Effect of padding" in page
    assert f"{score.value:.3f}" in page
    figure = Client().get("/figures/ratings/?metric=probe-padding")
    assert f"{score.value:.3f}" in figure.content.decode()


def test_what_is_kept_is_not_rendered_again(contestant: Contestant, settings) -> None:
    first = probe(contestant, "padding", prompt_set="demo")
    for file in (settings.HOME / "probes").rglob("*.png"):
        file.unlink()
    assert probe(contestant, "padding", prompt_set="demo") == first
    assert not list((settings.HOME / "probes").rglob("*.png"))


def test_a_lora_is_compared_with_its_home(contestant: Contestant, tiny_lora: Path, tmp_path: Path) -> None:
    """On the checkpoint that it was trained on, the transfer is 1 by definition; elsewhere it is something else."""
    with pytest.raises(ValueError, match="no LoRA whose own checkpoint is known"):
        probe(contestant, "lora-transfer")
    write_tiny_checkpoint(tmp_path / "other", seed=2, epoch=2)
    folders = (Path(contestant.checkpoint.folder), tmp_path / "other")
    home, away = (
        probe(register(folder, LoraRef(tiny_lora))[0], "lora-transfer", prompt_set="demo") for folder in folders
    )
    assert home.value == pytest.approx(1)
    assert -1 <= away.value < 1
    assert away.result["means"]["home_strength"]["value"] == home.result["means"]["strength"]["value"] > 0


def test_what_cannot_be_probed_is_refused(contestant: Contestant) -> None:
    with pytest.raises(CommandError, match="has no prompts 'demo'"):
        call_command("evaluate", contestant.checkpoint.name, "--probe", "multi-character", "--probe-prompts", "demo")
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("evaluate", contestant.checkpoint.name, "--probe", "magic")
    assert not ProbeScore.objects.exists()


def test_only_values_of_one_suite_stand_beside_each_other(contestant: Contestant) -> None:
    for suite in ("one", "other"):
        ProbeScore.objects.create(contestant=contestant, probe="padding", suite=suite, images=1, value=0.5)
    assert [score.suite for score in ProbeScore.objects.current("padding")] == ["other"]
    assert not ProbeScore.objects.current("inpainting").exists()
