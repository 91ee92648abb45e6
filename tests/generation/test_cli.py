import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from generation import cli
from generation.cli import main
from generation.files import write_bytes
from generation.imageio import archive_png, pixel_sha256, read_archive
from generation.origin_cli import renderer as renderer_of
from generation.recipe import Recipe
from generation.renderer import ImageRequest, Renderer
from generation.tiny import write_tiny_checkpoint
from training.cli import main as training

ROOT = Path(__file__).parents[2]


@pytest.fixture
def archived(renderer, recipe, tmp_path):
    """Save a rendered image as it was, or after ``edit(image, manifest)`` changed it."""

    def save(edit=lambda image, manifest: None):
        rendered = next(renderer.render(recipe, [ImageRequest("1girl, blue hair", 9)]))
        edit(rendered.image, rendered.manifest)
        path = tmp_path / "image.png"
        path.write_bytes(archive_png(rendered.image, rendered.manifest))
        return str(path)

    return save


def nudge(image, manifest, by):
    """Change one channel of one pixel, as arithmetic on another machine would, and record it as the true image."""
    red, *others = image.getpixel((0, 0))
    image.putpixel((0, 0), (red + by if red < 128 else red - by, *others))
    manifest["pixel_sha256"] = pixel_sha256(image)


def test_inspect_shows_what_the_checkpoint_says(tiny, renderer, capsys):
    assert main(["inspect", str(tiny)]) == 0
    shown = capsys.readouterr().out
    assert "tiny epoch 0" in shown
    assert renderer.info.sha256 in "".join(shown.split())


def test_render_writes_one_verified_png_a_seed(tiny, tmp_path, capsys):
    out = tmp_path / "new" / "folder"
    command = ["render", str(tiny), "--prompt", "1girl, red hair", "--seed", "3", "--count", "5", "--out", str(out)]
    assert main([*command, "--threads", "1", "--steps", "1", "--negative-prompt", "smile"]) == 0
    files = sorted(out.iterdir())
    assert [path.name.partition("-")[0] for path in files] == ["3", "4", "5", "6", "7"]
    assert sorted(capsys.readouterr().out.split()) == [str(path) for path in files]
    _, manifest = read_archive(files[0].read_bytes())
    assert Recipe.from_dict(manifest["recipe"]) == Recipe(steps=1, batch=4, negative_prompt="smile")
    assert main(["verify", str(files[4]), "--checkpoint", str(tiny)]) == 0


def test_one_side_alone_is_measured_against_the_other_of_the_recipe(scratch, tmp_path):
    path = scratch / "checkpoint.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, "recipe": {**fields["recipe"], "width": 128, "height": 128}}))
    command = ["render", str(scratch), "--prompt", "1girl", "--seed", "3", "--out", str(tmp_path / "out")]
    assert main([*command, "--steps", "1", "--width", "648"]) == 0  # too long beside the default of 64
    (png,) = (tmp_path / "out").iterdir()
    assert read_archive(png.read_bytes())[0].size == (648, 128)


def test_render_warns_of_the_part_of_a_prompt_that_has_no_effect(tiny, tmp_path, capsys):
    command = ["render", str(tiny), "--seed", "3", "--out", str(tmp_path), "--steps", "1"]
    assert main([*command, "--prompt", "hair " * 46 + "smile, red"]) == 0
    assert "without effect was: 'smile, red'" in capsys.readouterr().err
    assert main([*command, "--prompt", "hair " * 46 + "smile, red", "--long-prompts", "chunks"]) == 0
    assert "without effect" not in capsys.readouterr().err


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_another_process_renders_identical_pixels(tiny, tmp_path, dtype):
    renderer = Renderer(tiny, threads=1, dtype=getattr(torch, dtype))
    rendered = next(renderer.render(Recipe(steps=3, batch=4), [ImageRequest("1girl, blue hair", 9)]))
    path = tmp_path / "image.png"
    path.write_bytes(archive_png(rendered.image, rendered.manifest))
    command = [sys.executable, "-m", "generation", "verify", str(path), "--checkpoint", str(tiny)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert "exact" in run.stdout


def test_verify_repeats_the_recorded_dtype(tiny, tmp_path):
    path = tmp_path / "image.png"
    renderer = Renderer(tiny, threads=1, dtype=torch.bfloat16)
    rendered = next(renderer.render(Recipe(steps=1, batch=1), [ImageRequest("1girl", 1)]))
    path.write_bytes(archive_png(rendered.image, rendered.manifest))
    assert main(["verify", str(path), "--checkpoint", str(tiny)]) == 0


@pytest.mark.parametrize(
    "before", [{"packages": {"torch": "2.6.0"}}, {"processor": "AuthenticAMD 25"}, {"processor": None}]
)
def test_verify_accepts_a_last_bit_from_another_environment(tiny, archived, capsys, before):
    """None: from before manifests named the processor."""

    def edit(image, manifest):
        nudge(image, manifest, 1)
        manifest["environment"] |= before

    assert main(["verify", archived(edit), "--checkpoint", str(tiny)]) == 3
    assert f"environment.{next(iter(before))}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda image, manifest: nudge(image, manifest, 1), "pixels"),
        (lambda image, manifest: image.putpixel((0, 0), (0, 255, 0)), "pixel_sha256"),
        (lambda image, manifest: manifest.update(seed=10), "noise_sha256"),
        (lambda image, manifest: manifest["recipe"].update(steps=4), "schedule.timesteps"),
        (lambda image, manifest: manifest["checkpoint"].update(sha256="0" * 64), "checkpoint.sha256"),
    ],
    ids=["last bit, same environment", "edited pixels", "other seed", "other steps", "other checkpoint"],
)
def test_verify_names_what_differs(tiny, archived, capsys, edit, named):
    assert main(["verify", archived(edit), "--checkpoint", str(tiny)]) == 4
    assert f"differs: {named}" in capsys.readouterr().out


def test_verify_refuses_a_larger_difference_from_another_environment(tiny, archived):
    def edit(image, manifest):
        nudge(image, manifest, 2)
        manifest["environment"]["cpu_capability"] = "DEFAULT"

    assert main(["verify", archived(edit), "--checkpoint", str(tiny)]) == 4


def test_verify_against_another_checkpoint_is_different(archived, tmp_path):
    other = tmp_path / "other"
    write_tiny_checkpoint(other, seed=2)
    assert main(["verify", archived(), "--checkpoint", str(other)]) == 4


def test_bench_prints_a_median_with_its_range(tiny, tmp_path, capsys):
    other = tmp_path / "other"
    write_tiny_checkpoint(other, seed=2)
    command = ["bench", str(tiny), "--other", str(other), "--rounds", "2", "--steps", "1", "--batch", "2"]
    assert main([*command, "--peak-tflops", "1", "--threads", "1"]) == 0
    shown = capsys.readouterr().out
    for name in ("images", "manifest and PNG", "TFLOP/s", "used of the peak", "read from files", "from memory"):
        assert name in shown
    assert main(["bench", str(tiny), "--rounds", "0"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect", "/nowhere"], "/nowhere is not a folder"),
        (["render", "{tiny}", "--prompt", "", "--seed", "1", "--out", "{out}"], "prompt is empty"),
        (["render", "{tiny}", "--prompt", "a", "--seed", "-1", "--out", "{out}"], "seed"),
        (["render", "{tiny}", "--prompt", "a", "--seed", "1", "--out", "{out}", "--count", "0"], "--count"),
        (["render", "{tiny}", "--prompt", "a", "--seed", "1", "--out", "{out}", "--width", "65"], "multiple of 8"),
        (
            ["render", "{tiny}", "--prompt", "a", "--seed", "1", "--out", "{out}", "--compile", "fast"],
            "no backend 'fast'",
        ),
        (["verify", "/nowhere.png", "--checkpoint", "{tiny}"], "No such file"),
    ],
)
def test_a_refusal_says_why_and_leaves_nothing_behind(tiny, tmp_path, capsys, arguments, message):
    out = tmp_path / "out"
    assert main([text.format(tiny=tiny, out=out) for text in arguments]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda manifest: manifest.update(dtype="int3"), "cannot be rendered again"),
        (lambda manifest: manifest.update(environment=[1]), "cannot be rendered again"),
        (lambda manifest: manifest["environment"].update(compiled=True), "no backend True"),
        (lambda manifest: manifest["environment"].update(threads=0), "threads must be at least 1"),
    ],
)
def test_a_manifest_with_an_impossible_value_is_refused(tiny, archived, capsys, edit, message):
    path = archived(lambda image, manifest: edit(manifest))
    assert main(["verify", path, "--checkpoint", str(tiny)]) == 1
    assert message in capsys.readouterr().err


def test_ctrl_c_ends_with_one_line_and_keeps_what_is_finished(tiny, tmp_path, capsys, monkeypatch):
    """The signal comes right after the third image was written."""

    def written(path, data):
        write_bytes(path, data)
        if len(list(tmp_path.iterdir())) == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(cli, "write_bytes", written)
    command = ["render", str(tiny), "--prompt", "1girl", "--seed", "1", "--count", "8", "--threads", "1"]
    assert main([*command, "--steps", "1", "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err.strip() == "interrupted; what is finished stays"
    assert len(list(tmp_path.iterdir())) == 3
    for path in tmp_path.iterdir():
        assert read_archive(path.read_bytes())[1]["prompt"] == "1girl"


def test_a_ctrl_c_that_a_library_swallowed_while_it_was_loaded_stops_before_the_next_step(
    tiny, tmp_path, capsys, monkeypatch
):
    """As numpy and others do, which turn what comes in the middle of their import into something else."""

    def loaded(options):
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return renderer_of(options)

    monkeypatch.setattr(cli, "renderer_of", loaded)
    command = ["render", str(tiny), "--prompt", "1girl", "--seed", "1", "--count", "8", "--threads", "1"]
    assert main([*command, "--steps", "1", "--out", str(tmp_path / "out")]) == 130
    assert capsys.readouterr().err.strip() == "interrupted; what is finished stays"
    assert list((tmp_path / "out").iterdir()) == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_help_is_called_by_the_name_of_the_program(capsys):
    with pytest.raises(SystemExit):
        main(["convert", "--help"])
    assert "usage: python -m generation convert" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        training(["convert", "--help"])
    assert "usage: python -m training convert" in capsys.readouterr().out
