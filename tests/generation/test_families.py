"""Stable Diffusion 1.5 by the same loop, and what is said of families that are not known."""

import dataclasses
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.schedulers import scheduling_euler_ancestral_discrete as reference
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from safetensors.torch import load_file, save_file

from generation.checkpoint import read_checkpoint, seal_checkpoint
from generation.cli import main
from generation.conditioning import condition
from generation.convert import to_single_file
from generation.denoise import denoise
from generation.errors import CheckpointError
from generation.families import FAMILIES, SD15
from generation.imageio import pixel_sha256
from generation.loading import Origin, load, load_parts
from generation.matchup import render_matchup
from generation.noise import gaussian
from generation.recipe import ImageRequest, Recipe
from generation.renderer import Renderer
from generation.tiny import write_tiny_checkpoint
from generation.verify import verify

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
PROMPTS = ("1girl, blue hair", "1boy, short hair, smile, solo", "solo, " * 30, "1girl, red eyes")
SEEDS = (11, 12)
REQUESTS = tuple(ImageRequest(prompt, seed) for seed, prompt in enumerate(PROMPTS))


@pytest.fixture(scope="module")
def sd15(tmp_path_factory):
    folder = tmp_path_factory.mktemp("families") / "sd15"
    write_tiny_checkpoint(folder, seed=3, run="old", family=SD15)
    return folder


@pytest.fixture(scope="module")
def pipeline(sd15):
    pipeline = StableDiffusionPipeline.from_pretrained(sd15, local_files_only=True, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def batch_noise(purpose, step):
    return torch.from_numpy(np.stack([gaussian(seed, purpose, step, (4, 16, 16)) for seed in SEEDS]))


def theirs(pipeline, recipe, output):
    return pipeline(
        prompt=list(PROMPTS[:2]),
        negative_prompt=[recipe.negative_prompt] * 2,
        latents=batch_noise("initial", 0),
        num_inference_steps=recipe.steps,
        guidance_scale=recipe.cfg,
        width=recipe.width,
        height=recipe.height,
        output_type=output,
    ).images


def hashes(renderer, recipe, requests):
    return [pixel_sha256(one.image) for one in renderer.render(recipe, requests)]


@pytest.mark.parametrize("sampler", ["euler", "euler_a"])
def test_the_loop_gives_the_latents_of_the_diffusers_pipeline(sd15, pipeline, monkeypatch, sampler):
    recipe = Recipe(sampler=sampler, steps=5, cfg=4.0, batch=2, negative_prompt="red hair")
    if sampler == "euler":
        monkeypatch.setattr(pipeline, "scheduler", EulerDiscreteScheduler.from_config(pipeline.scheduler.config))
    steps = iter(range(1000))
    monkeypatch.setattr(reference, "randn_tensor", lambda *a, **k: batch_noise("ancestral", next(steps)))
    parts = load_parts(sd15)
    with torch.inference_mode():
        ours = denoise(parts, recipe, condition(parts, recipe, PROMPTS[:2]), batch_noise)
    torch.testing.assert_close(ours, theirs(pipeline, recipe, "latent"), atol=1e-4, rtol=0)


def test_the_renderer_gives_the_pixels_of_the_diffusers_pipeline(sd15, pipeline, monkeypatch):
    recipe = Recipe(steps=5, cfg=4.0, batch=2)
    steps = iter(range(1000))
    monkeypatch.setattr(reference, "randn_tensor", lambda *a, **k: batch_noise("ancestral", next(steps)))
    wanted = theirs(pipeline, recipe, "pil")
    requests = [ImageRequest(prompt, seed) for prompt, seed in zip(PROMPTS, SEEDS, strict=False)]
    for rendered, image in zip(Renderer(sd15, threads=1).render(recipe, requests), wanted, strict=True):
        assert np.abs(np.asarray(rendered.image, dtype=int) - np.asarray(image, dtype=int)).max() <= 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("padding", ["full77", "masked", "minimal"])
def test_an_image_is_the_same_at_every_fill_and_position(sd15, dtype, padding):
    renderer = Renderer(sd15, threads=1, dtype=dtype)
    recipe = Recipe(steps=2, batch=4, padding=padding, long_prompts="chunks")
    alone = [hashes(renderer, recipe, [request])[0] for request in REQUESTS]
    assert len(set(alone)) == 4
    for fill in range(1, 5):
        for turn in range(4):
            order = [(turn + i) % 4 for i in range(fill)]
            assert hashes(renderer, recipe, [REQUESTS[i] for i in order]) == [alone[i] for i in order]


def test_what_a_family_has_not_is_not_there(sd15):
    parts = load_parts(sd15)
    assert (parts.text_encoder_2, parts.tokenizer_2, len(parts.encoders)) == (None, None, 1)
    rendered = next(Renderer(sd15, threads=1).render(Recipe(steps=1, batch=2), REQUESTS[:1]))
    manifest = rendered.manifest
    assert set(manifest["components"]) == {"unet", "vae", "text_encoder"}
    first, second = manifest["tokens"]["ids"]
    assert (len(first) > 2, second) == (True, None)
    text = condition(parts, Recipe(batch=2), PROMPTS[:2]).text
    assert (text.hidden.shape, text.pooled.shape) == ((4, 48, 16), (4, 0))


def test_commands_inspect_render_in_another_process_and_verify(sd15, tmp_path, capsys):
    assert main(["inspect", str(sd15)]) == 0
    shown = capsys.readouterr().out
    assert "sd15" in shown
    assert "text_encoder_2" not in shown
    out = ["--prompt", PROMPTS[0], "--seed", "5", "--threads", "1"]
    assert main(["render", str(sd15), *out, "--out", str(tmp_path / "here")]) == 0
    command = [sys.executable, "-m", "generation", "render", str(sd15), *out, "--out", str(tmp_path / "there")]
    subprocess.run(command, check=True, capture_output=True)
    (here,), (there,) = (list((tmp_path / name).glob("*.png")) for name in ("here", "there"))
    assert here.read_bytes() == there.read_bytes()
    assert main(["verify", str(here), "--checkpoint", str(sd15)]) == 0


def test_a_single_file_and_its_folder_give_bitwise_equal_images(sd15, tmp_path):
    file = to_single_file(Origin(sd15), tmp_path / "one.safetensors")
    keys = set(load_file(file))
    assert "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight" in keys
    origin, recipe = Origin(file, like=sd15), Recipe(steps=2, batch=2)
    assert load(origin).keys == load(Origin(sd15)).keys
    assert hashes(Renderer(origin, threads=1), recipe, REQUESTS) == hashes(Renderer(sd15, threads=1), recipe, REQUESTS)


def test_schedule_tensors_of_old_training_code_are_passed_over_and_others_refused(sd15, tmp_path):
    file = to_single_file(Origin(sd15), tmp_path / "one.safetensors")
    tensors = load_file(file)
    for name in ("betas", "alphas_cumprod_prev", "sqrt_recip_alphas_cumprod", "posterior_mean_coef1", "logvar"):
        tensors[name] = torch.zeros(3)
    save_file(tensors, file)
    assert load(Origin(file, like=sd15, prediction_type="epsilon")).keys == load(Origin(sd15)).keys
    save_file({**tensors, "embedding_manager.x": torch.zeros(1)}, file)
    with pytest.raises(CheckpointError, match=r"embedding_manager\.x"):
        load(Origin(file, like=sd15, prediction_type="epsilon"))


def test_files_are_read_as_strictly_as_those_of_sdxl(sd15, tmp_path):
    for change, message in (
        (lambda tensors: tensors.pop("conv_in.weight"), r"lacks tensors: conv_in\.weight"),
        (lambda tensors: tensors.update(more=torch.zeros(1)), "unexpected tensors: more"),
        (lambda tensors: tensors["conv_in.bias"].fill_(float("nan")), r"NaN or infinity in tensors: conv_in\.bias"),
    ):
        folder = shutil.copytree(sd15, tmp_path / "damaged", dirs_exist_ok=True)
        weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
        tensors = load_file(sd15 / "unet" / "diffusion_pytorch_model.safetensors")
        change(tensors)
        save_file(tensors, weights)
        seal_checkpoint(folder, json.loads((folder / "checkpoint.json").read_text()))
        with pytest.raises(CheckpointError, match=message):
            load_parts(folder)


def test_families_meet_under_equal_conditions_and_swap_on_one_renderer(sd15, tiny):
    """Their texts, noise, sizes and settings are equal, as far as the two read a text alike."""
    renderer = Renderer(tiny, threads=1)

    def sides():
        for folder in (tiny, sd15, tiny):
            renderer.swap(folder)
            assert renderer.last_swap is None or renderer.last_swap.built or folder == tiny
            yield renderer

    recipe = Recipe(steps=2, batch=2, padding="masked")
    first, other, again = render_matchup(sides(), recipe, REQUESTS[0])
    assert pixel_sha256(first.image) == pixel_sha256(again.image) != pixel_sha256(other.image)
    assert verify(other.image, other.manifest, sd15).code == 0


def test_an_unknown_family_is_refused_by_name_with_the_known_ones(sd15, tiny, tmp_path, capsys):
    known = "StableDiffusionXLPipeline (sdxl), StableDiffusionPipeline (sd15)"
    for pipeline in ("StableDiffusion3Pipeline", "FluxPipeline"):
        folder = shutil.copytree(sd15, tmp_path / pipeline)
        (folder / "checkpoint.json").unlink()
        index = json.loads((folder / "model_index.json").read_text())
        (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": pipeline}))
        seal = ["seal", str(folder), "--run", "x", "--epoch", "1", "--step", "1", "--licence", "CC0-1.0"]
        assert main(seal) == 1
        said = capsys.readouterr().err
        assert pipeline in said
        assert known in said
    with pytest.raises(CheckpointError, match="'flux' cannot be rendered; known are sdxl, sd15"):
        dataclasses.replace(read_checkpoint(sd15), architecture="flux").family.name  # noqa: B018


def test_an_index_of_another_family_is_refused(sd15, tmp_path):
    folder = shutil.copytree(sd15, tmp_path / "mixed")
    fields = json.loads((folder / "checkpoint.json").read_text())
    with pytest.raises(CheckpointError, match="lacks text_encoder_2"):
        seal_checkpoint(folder, {**fields, "architecture": "sdxl"})
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": "StableDiffusionXLPipeline"}))
    with pytest.raises(CheckpointError, match="says architecture 'sd15', which is StableDiffusionPipeline"):
        seal_checkpoint(folder, fields)


def test_a_sealed_folder_begins_in_the_native_size(sd15, tmp_path, capsys):
    folder = shutil.copytree(sd15, tmp_path / "foreign")
    (folder / "checkpoint.json").unlink()
    assert main(["seal", str(folder), "--run", "x", "--epoch", "1", "--step", "1", "--licence", "CC0-1.0"]) == 0
    info = read_checkpoint(folder)
    assert (info.architecture, info.recipe.width, info.recipe.height) == ("sd15", 512, 512)


def test_the_table_is_consistent():
    for name, family in FAMILIES.items():
        assert family.name == name
        assert len(family.tokenizers) == len(family.text_encoders)
        assert {"unet", "vae"} < set(family.components)
