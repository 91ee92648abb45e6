"""A broken image is decoded again once, then reported in its place; its neighbours are what they are without it."""

import dataclasses
import shutil

import pytest
import torch

from generation.errors import RenderError
from generation.imageio import pixel_sha256
from generation.recipe import Broken, ImageRequest
from generation.renderer import Renderer
from tests.broken import break_word

PROMPTS = ("1girl, blue hair", "1girl, smile", "1boy, solo", "1girl, smile, solo", "1girl, red eyes")
REQUESTS = tuple(ImageRequest(prompt, seed) for seed, prompt in enumerate(PROMPTS))


@pytest.fixture(scope="module")
def breaking(tiny, tmp_path_factory):
    folder = shutil.copytree(tiny, tmp_path_factory.mktemp("breaking") / "tiny")
    break_word(folder, "smile")
    return folder


def test_the_others_come_as_if_nothing_were_broken(renderer, breaking, recipe):
    sound = [pixel_sha256(one.image) for one in renderer.render(recipe, REQUESTS)]
    outcomes = list(Renderer(breaking, threads=1).attempt(recipe, REQUESTS))
    assert [isinstance(one, Broken) for one in outcomes] == [False, True, False, True, False]
    for number in (0, 2, 4):
        assert pixel_sha256(outcomes[number].image) == sound[number]
    for number in (1, 3):
        assert outcomes[number].request == REQUESTS[number]
        assert f"seed {number}, prompt '{PROMPTS[number]}': the image has NaN" in outcomes[number].problem


def test_rendering_without_a_place_for_broken_images_stops_at_the_first(breaking, recipe):
    images = Renderer(breaking, threads=1).render(recipe, REQUESTS)
    assert next(images).request == REQUESTS[0]
    with pytest.raises(RenderError, match=r"seed 1.*NaN"):
        next(images)


@pytest.mark.parametrize("fill", [float("nan"), float("inf"), 0.0, -1.0], ids=["nan", "infinite", "grey", "black"])
def test_what_a_second_decoding_saves_has_the_bits_of_an_undisturbed_one(tiny, recipe, monkeypatch, fill):
    """A disturbance of the device: the first decoding of one row is wrong, whatever is decoded later is right."""
    recipe = dataclasses.replace(recipe, steps=1)
    renderer = Renderer(tiny, threads=1)
    wanted = [pixel_sha256(one.image) for one in renderer.render(recipe, REQUESTS[:3])]
    decode, calls = renderer.parts.vae.decode, []

    def disturbed(latents, **options):
        (pixels,) = decode(latents, **options)
        calls.append(pixels.dtype)
        if len(calls) == 1:
            pixels[1] = fill
        return (pixels,)

    monkeypatch.setattr(renderer.parts.vae, "decode", disturbed)
    assert [pixel_sha256(one.image) for one in renderer.attempt(recipe, REQUESTS[:3])] == wanted
    assert calls == [torch.float32, torch.float32]


def test_a_broken_image_is_decoded_twice_and_no_more(breaking, recipe, monkeypatch):
    renderer = Renderer(breaking, threads=1)
    decode, calls = renderer.parts.vae.decode, []
    monkeypatch.setattr(renderer.parts.vae, "decode", lambda *a, **k: calls.append(1) or decode(*a, **k))
    assert isinstance(next(renderer.attempt(recipe, REQUESTS[1:2])), Broken)
    assert len(calls) == 2
