import dataclasses
import hashlib
import json
import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from generation.checkpoint import seal_checkpoint
from generation.imageio import pixel_sha256
from generation.manifest import shared_manifest, token_record
from generation.noise import gaussian, noise_sha256
from generation.provenance import manifest_json
from generation.recipe import Recipe
from generation.renderer import Cancelled, ImageRequest, Renderer, RenderError
from generation.tiny import write_tiny_checkpoint
from generation.verify import Verification, verify

PROMPTS = ("1girl, blue hair", "1boy, solo", "hair " * 60, "1girl, red eyes, smile")
REQUESTS = tuple(ImageRequest(prompt, seed) for seed, prompt in enumerate(PROMPTS))


def hashes(renderer, recipe, requests):
    return [pixel_sha256(rendered.image) for rendered in renderer.render(recipe, requests)]


def sigma_by_hand(timestep):
    """SDXL's noise level: sqrt(1 / abar - 1), abar the product of 1 - beta, sqrt(beta) rising evenly."""
    low, high = 0.00085**0.5, 0.012**0.5
    return (1 / math.prod(1 - (low + (high - low) * i / 999) ** 2 for i in range(timestep + 1)) - 1) ** 0.5


@pytest.mark.parametrize("padding", ["masked", "minimal", "full77"])
def test_neither_do_lengths_of_neighbours_matter(renderer, recipe, padding):
    """Short and long prompts, of one chunk and of two, at every fill and position."""
    recipe = dataclasses.replace(recipe, steps=2, padding=padding, long_prompts="chunks", prompt_syntax="a1111")
    alone = [hashes(renderer, recipe, [request])[0] for request in REQUESTS]
    assert hashes(renderer, recipe, REQUESTS) == alone
    assert hashes(renderer, recipe, REQUESTS[:0:-1]) == alone[:0:-1]


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def any_renderer(tiny, request):
    return Renderer(tiny, threads=1, dtype=request.param)


def test_an_image_is_the_same_at_every_fill_and_position(any_renderer, recipe):
    alone = [hashes(any_renderer, recipe, [request])[0] for request in REQUESTS]
    assert len(set(alone)) == 4
    for fill in range(1, recipe.batch + 1):
        for turn in range(4):
            order = [(turn + i) % 4 for i in range(fill)]
            assert hashes(any_renderer, recipe, [REQUESTS[i] for i in order]) == [alone[i] for i in order]


def test_more_requests_than_rows_go_into_more_batches_in_order(renderer, recipe):
    requests = [*REQUESTS, *reversed(REQUESTS), REQUESTS[2]]
    alone = hashes(renderer, recipe, REQUESTS)
    assert hashes(renderer, recipe, requests) == [*alone, *reversed(alone), alone[2]]


def test_no_requests_give_no_images(renderer, recipe):
    assert hashes(renderer, recipe, []) == []


@pytest.mark.parametrize(
    "change",
    [
        {"cfg": 3.0},
        {"steps": 4},
        {"sampler": "euler"},
        {"spacing": "leading"},
        {"negative_prompt": "smile"},
        {"sampler": "dpmpp_2m"},
        {"spacing": "karras"},
        {"padding": "masked"},
        {"padding": "minimal", "sampler": "dpmpp_2m"},
    ],
)
def test_every_field_of_the_recipe_matters(renderer, recipe, change):
    other = Recipe.from_dict({**recipe.to_dict(), **change})
    assert hashes(renderer, other, REQUESTS[:1]) != hashes(renderer, recipe, REQUESTS[:1])


def test_another_size_is_rendered_in_that_size(renderer):
    image = next(renderer.render(Recipe(steps=1, width=96, height=64, batch=1), REQUESTS[:1])).image
    assert (image.size, image.mode) == ((96, 64), "RGB")


def test_a_size_that_does_not_fit_the_checkpoint_is_refused_before_rendering(renderer, monkeypatch):
    assert renderer.info.name == "tiny epoch 0"
    monkeypatch.setattr(renderer.parts.unet.config, "block_out_channels", (8, 16, 16))
    with pytest.raises(RenderError, match="multiples of 16"):
        renderer.render(Recipe(width=72), REQUESTS)


def test_the_manifest_says_how_the_image_came_about(renderer, recipe):
    rendered = list(renderer.render(recipe, REQUESTS))[2]
    manifest = rendered.manifest
    assert json.loads(manifest_json(manifest)) == manifest
    assert manifest["checkpoint"]["sha256"] == renderer.info.sha256
    assert Recipe.from_dict(manifest["recipe"]) == recipe
    assert (manifest["prompt"], manifest["seed"]) == (PROMPTS[2], 2)
    assert manifest["padding"] == "full77"
    ancestral = b"".join(gaussian(2, "ancestral", step, (4, 16, 16)).tobytes() for step in range(2))
    assert manifest["ancestral_noise_sha256"] == hashlib.sha256(ancestral).hexdigest()
    assert manifest["noise_sha256"] == noise_sha256(gaussian(2, "initial", 0, (4, 16, 16)))
    assert manifest["pixel_sha256"] == pixel_sha256(rendered.image)
    assert manifest["schedule"]["timesteps"] == [999, 666, 332]
    assert manifest["schedule"]["sigmas"] == [*(round(sigma_by_hand(t), 5) for t in (999, 666, 332)), 0.0]
    assert manifest["batch_shape"] == [4, 4, 16, 16]
    assert manifest["dtype"] == "float32"
    assert manifest["environment"]["threads"] == 1
    assert manifest["environment"]["packages"]["torch"] == torch.__version__


def test_noise_is_that_of_the_seed_for_every_checkpoint_dtype_and_sampler(tiny, tmp_path, recipe):
    write_tiny_checkpoint(tmp_path / "other", seed=7)
    found = {
        (folder, dtype): next(Renderer(folder, threads=1, dtype=dtype).render(recipe, REQUESTS[:1])).manifest
        for folder in (tiny, tmp_path / "other")
        for dtype in (torch.float32, torch.bfloat16)
    }
    noises = {(one["noise_sha256"], one["ancestral_noise_sha256"]) for one in found.values()}
    assert len(noises) == 1
    assert len({one["pixel_sha256"] for one in found.values()}) == 4


def test_the_manifest_has_every_field_it_needs(renderer, recipe):
    manifest = next(renderer.render(recipe, REQUESTS[:1])).manifest
    assert set(manifest) == {
        "schema", "mode", "checkpoint", "components", "loras", "recipe", "recipe_sha256", "padding", "negative_tokens",
        "schedule", "batch_shape", "dtype", "vae_dtype", "environment", "prompt", "seed", "tokens", "noise_sha256",
        "ancestral_noise_sha256", "pixel_sha256",
    }  # fmt: skip
    assert set(manifest["components"]) == {"unet", "vae", "text_encoder", "text_encoder_2"}
    assert set(manifest["environment"]) == {
        "python", "packages", "machine", "processor", "cpu_capability", "device", "threads", "attention", "compiled",
    }  # fmt: skip


def test_the_manifest_says_what_was_cut(renderer, recipe):
    manifest = list(renderer.render(recipe, REQUESTS))[2].manifest
    assert manifest["tokens"]["cut_tokens"] == [14, 14]
    assert manifest["prompt"][manifest["tokens"]["cut_from"][0] :].split() == ["hair"] * 14
    first, second = manifest["tokens"]["ids"]
    assert (len(first), second) == (48, None)
    assert manifest["negative_tokens"]["cut_from"] == [None, None]


def test_the_longest_manifest_stays_under_eight_kilobytes(renderer):
    # Steps beyond the first tell nothing new about size, so the manifest's parts are built without rendering.
    manifest = next(renderer.render(Recipe(steps=1, batch=1), REQUESTS[:1])).manifest
    for text, fields in (("z" * 1000, {}), ("z " * 500, {"long_prompts": "chunks", "prompt_syntax": "a1111"})):
        recipe = Recipe(steps=150, spacing="karras", batch=1, negative_prompt=text, **fields)
        texts = {"prompt": text, "tokens": token_record(renderer.parts, recipe, text)}
        longest = {**manifest, **shared_manifest(renderer.parts, recipe), **texts}
        assert 4000 < len(manifest_json(longest).encode()) < 8192


def test_texts_too_long_for_the_manifest_are_refused_before_rendering(renderer):
    with pytest.raises(RenderError, match=r"would take \d+ bytes, 8191 are the limit"):
        renderer.render(Recipe(negative_prompt="\U0001f600" * 1000), [ImageRequest("\U0001f600" * 1000, 1)])


def test_progress_counts_the_steps_of_all_batches(renderer, recipe):
    seen = []
    list(renderer.render(recipe, [*REQUESTS, REQUESTS[0]], on_step=lambda done, total: seen.append((done, total))))
    assert seen == [(i, 6) for i in range(1, 7)]


def test_a_stop_between_batches_keeps_what_was_delivered(renderer, recipe):
    delivered, done = [], []
    images = renderer.render(
        recipe,
        [*REQUESTS, REQUESTS[0]],
        on_step=lambda step, total: done.append(step),
        should_stop=lambda: len(done) == 3,
    )
    with pytest.raises(Cancelled):
        delivered.extend(images)
    # list.extend keeps what came before the error, just as a worker that stores image by image does.
    assert [rendered.request for rendered in delivered] == list(REQUESTS)


def test_rendering_leaves_the_global_random_numbers_alone(renderer, recipe):
    before = torch.random.get_rng_state()
    hashes(renderer, recipe, REQUESTS)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_threads_are_set_recorded_and_repeated_by_verify(tiny):
    try:
        rendered = next(Renderer(tiny, threads=2).render(Recipe(steps=1, batch=1), REQUESTS[:1]))
        assert torch.get_num_threads() == rendered.manifest["environment"]["threads"] == 2
        torch.set_num_threads(1)
        assert verify(rendered.image, rendered.manifest, tiny) == Verification(0, (), 0)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    with pytest.raises(ValueError, match="threads"):
        Renderer(tiny, threads=0)


@pytest.mark.parametrize(
    ("factor", "message"), [(0.0, "one flat colour"), (3e38, "NaN or infinite pixels")], ids=["flat", "not finite"]
)
def test_a_broken_picture_is_an_error_and_never_an_image(scratch, factor, message):
    weights = scratch / "vae" / "diffusion_pytorch_model.safetensors"
    tensors = {key: value.float() for key, value in load_file(weights).items()}
    for name in ("decoder.conv_out.weight", "decoder.conv_out.bias"):
        tensors[name] = tensors[name].sign() * factor
    save_file(tensors, weights, metadata={"format": "pt"})
    seal_checkpoint(scratch, json.loads((scratch / "checkpoint.json").read_text()))
    with pytest.raises(RenderError, match=f"seed 0.*{message}"):
        hashes(Renderer(scratch), Recipe(steps=1, batch=2), REQUESTS)
