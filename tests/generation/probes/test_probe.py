import csv
import io
import json
import os
from collections import Counter

import pytest
import torch
from safetensors.torch import save_file

from generation.cli import main
from generation.imageio import read_archive
from generation.probes.measures import MEASURES
from generation.probes.probe import find_probe, names
from generation.probes.rendering import Side, Work, render
from generation.probes.result import estimate
from generation.recipe import Recipe
from generation.tiny import write_tiny_checkpoint

FAST = ["--threads", "1", "--steps", "1", "--batch", "2", "--seeds", "1"]


@pytest.fixture
def lora(tmp_path):
    """A LoRA of rank 1 on one layer of the tiny UNet: down (1, in), up (out, 1)."""
    name = "lora_unet_mid_block_attentions_0_proj_in"
    path = tmp_path / "some.safetensors"
    tensors = {f"{name}.lora_down.weight": torch.full((1, 16), 2.0), f"{name}.lora_up.weight": torch.full((16, 1), 2.0)}
    save_file(tensors, path)
    return path


@pytest.fixture
def other(tmp_path):
    write_tiny_checkpoint(tmp_path / "other", seed=2, epoch=3)
    return tmp_path / "other"


def told(capsys, command):
    assert main(["probe", *command, *FAST, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", names())
def test_a_probe_is_whole(name):
    """Every variant finds its text in every case; sources come before what is made of them."""
    probe = find_probe(name)
    assert probe.section.startswith("A.")
    earlier = set()
    for variant in probe.variants:
        variant.recipe_of(Recipe())
        assert variant.source is None or variant.source in earlier
        earlier.add(variant.name)
        for cases in probe.cases.values():
            assert len({case.name for case in cases}) == len(cases) >= 3
            assert all(case.texts[variant.text] for case in cases)
    for colours in (case.colours for cases in probe.cases.values() for case in cases):
        assert len(colours) == (2 if name == "multi-character" else 0)


@pytest.mark.parametrize("name", [name for name in names() if name != "lora-transfer"])
def test_every_probe_measures_the_tiny_checkpoint(tiny, capsys, name):
    (result,) = told(capsys, [name, "--checkpoint", str(tiny)])
    probe = find_probe(name)
    assert set(result["means"]) == set(result["cases"][probe.cases["paper"][0].name])
    assert [key for key, mean in result["means"].items() if mean["headline"]] == [probe.headline]
    assert result["image_count"] == len(probe.variants) * len(probe.cases["paper"])
    assert result["section"] == probe.section


def test_a_lora_is_at_home_on_the_first_checkpoint(tiny, other, lora, capsys):
    command = ["lora-transfer", "--checkpoint", str(tiny), "--checkpoint", str(other), "--lora", str(lora)]
    home, away = told(capsys, [*command, "--prompt", "1girl, red hair", "--prompt", "1boy"])
    assert home["means"]["transfer"]["value"] == pytest.approx(1)
    assert home["means"]["pixel_change"]["value"] > 0
    assert -1 <= away["means"]["transfer"]["value"] < 1
    assert list(home["cases"]) == ["own-1", "own-2"]
    assert away["cases"]["own-1"]["home_strength"] == home["cases"]["own-1"]["strength"]


def test_pictures_stay_and_are_not_rendered_twice(tiny, lora, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["inpainting", "--checkpoint", str(tiny), "--prompts", "demo", "--out", str(out)]
    first = told(capsys, command)
    (folder,) = out.iterdir()
    assert json.loads((folder / "inpainting.json").read_text()) == first[0]
    files = sorted(file for file in folder.rglob("*.png") if file.parent.name != "damaged")
    assert Counter(file.parent.name for file in files) == {"original": 3, "inpainted": 3}
    _, manifest = read_archive(files[0].read_bytes())
    assert (manifest["mode"], manifest["seed"]) == ("inpainting", 1)
    sources = ["--image", str(folder / "damaged" / files[0].name), "--mask", str(folder / "damaged" / "mask.png")]
    assert main(["verify", str(files[0]), "--checkpoint", str(tiny), *sources]) == 0
    capsys.readouterr()
    before = {file: file.stat().st_mtime_ns for file in files}
    files[0].write_bytes(files[0].read_bytes()[:100])  # as a full disk leaves it
    files[4].write_bytes(files[5].read_bytes())  # another prompt's picture
    assert told(capsys, command) == first
    changed = {file for file in files if file.stat().st_mtime_ns != before[file]}
    assert changed == {files[0], files[4]}
    told(capsys, [*command, "--lora", str(lora)])
    assert all(file.stat().st_mtime_ns != before[file] for file in files), "with a LoRA they are others"


def test_a_stopped_probe_goes_on(tiny, renderer, tmp_path):
    probe = find_probe("dynamic-range")
    side = Side(Recipe(steps=1, batch=2), lambda _: renderer, tmp_path)
    seen = []

    class Stopped(Exception):
        pass

    def stop(done):
        seen.append(done)
        if done == 3:
            raise Stopped

    work = Work(probe, probe.cases["paper"], (1,))
    with pytest.raises(Stopped):
        render(work, side, on_image=stop)
    written = {path: os.stat(path).st_mtime_ns for path in tmp_path.rglob("*.png")}
    assert (len(written), seen, work.total) == (3, [1, 2, 3], 8)
    images = render(work, side)
    assert {path: os.stat(path).st_mtime_ns for path in written} == written
    assert set(images["cave"]) == {"dark", "bright"}
    assert images["cave"]["dark"].shape == (1, 64, 64, 3)


def test_csv_and_table(tiny, capsys):
    command = ["probe", "padding", "--checkpoint", str(tiny), *FAST]
    assert main([*command, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["measure"] for row in rows if row["case"] == "all"] == ["effect", "effect_no_cfg", "amplification"]
    assert len(rows) == 3 * (1 + 3)
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "Effect of padding (A.6)" in shown
    assert "less is better" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lora-transfer"], "give one by --lora FILE"),
        (["multi-character", "--prompts", "demo"], "has no prompts 'demo'; it has paper"),
        (["dynamic-range", "--prompt", "1girl"], "takes none of your own"),
        (["padding", "--seeds", "0"], "--seeds must be at least 1"),
    ],
)
def test_what_cannot_be_asked_is_refused(tiny, tmp_path, capsys, arguments, message):
    out = tmp_path / "out"
    assert main(["probe", *arguments, "--checkpoint", str(tiny), "--out", str(out)]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_an_unknown_probe_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no probe 'x'; there are dynamic-range, .*prompt-length"):
        find_probe("x")
    assert set(names()) == set(MEASURES)


def test_means_have_intervals_over_cases():
    """1, 2, 3: sd 1, Student's t of 2 degrees of freedom at 97.5 % is 4.30265."""
    found = estimate([1.0, 2.0, 3.0])
    expected = (2, 2 - 4.30265 / 3**0.5, 2 + 4.30265 / 3**0.5)
    assert (found.value, found.low, found.high) == pytest.approx(expected, abs=1e-5)
    assert estimate([5.0]) == (found.__class__(5.0, None, None))


def test_values_of_another_question_have_another_suite():
    probe = find_probe("padding")
    cases, recipe = probe.cases["paper"], Recipe()
    one = probe.suite(cases, (1,), recipe)
    assert one == probe.suite(cases, (1,), recipe)
    assert len({one, probe.suite(cases, (2,), recipe), probe.suite(cases[:1], (1,), recipe)}) == 3
    assert probe.suite(cases, (1,), Recipe(steps=3)) != one
