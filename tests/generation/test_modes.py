import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from generation.batch import BatchNoise, decode, encode, latent_shape, to_image
from generation.cli import main
from generation.conditioning import condition
from generation.denoise import denoise
from generation.errors import ImageError, RenderError
from generation.imageio import archive_png, pixel_sha256, read_archive
from generation.modes import Mode, Pass, parse_passes
from generation.noise import gaussian, noise_sha256
from generation.passes import put_back
from generation.recipe import ImageRequest, Recipe
from generation.samplers import training_sigmas
from generation.verify import verify

REQUESTS = tuple(ImageRequest(prompt, seed) for seed, prompt in enumerate(("1girl, blue hair", "1boy", "red eyes")))
CHAIN = Recipe(sampler="dpmpp_2m", spacing="karras", steps=4, batch=4)
REPAINT = Recipe(sampler="euler", steps=4, batch=4)


def pixels(image):
    return np.asarray(image).astype(int)


@pytest.fixture(scope="module")
def picture():
    """Every byte value, in all channels."""
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def mask():
    """A disc that fits no grid of latent cells."""
    mask = Image.new("L", (64, 64))
    ImageDraw.Draw(mask).ellipse((13, 18, 45, 49), fill=255)
    return mask


def test_a_chain_goes_on_from_the_latents_of_the_first_pass(renderer):
    """Against the same chain written out by hand: levels, noise and steps of the second pass."""
    passes = (Pass(0.4, "euler", 20),)
    (rendered,) = renderer.render(CHAIN, REQUESTS[:1], mode=Mode(passes=passes))
    parts = renderer.parts
    with torch.inference_mode():
        text = condition(parts, CHAIN, [REQUESTS[0].prompt] * 4)
        noise = BatchNoise([0] * 4, latent_shape(parts, 64, 64), parts.device)
        first = denoise(parts, CHAIN, text, noise)
        # int(20 * 0.4) = 8 steps; trailing spacing of 20 steps visits 999, 949, ... 49: the last 8 begin at 399.
        train = training_sigmas()
        sigmas = [float(train[t]) for t in range(399, 0, -50)]
        fresh = torch.from_numpy(np.stack([gaussian(0, "pass1/initial", 0, (4, 16, 16))] * 4))
        seen = {}
        denoise(
            parts,
            Pass().of(CHAIN),
            text,
            lambda purpose, step: fresh,
            start=first,
            strength=0.4,
            refine=lambda x0, i: seen.setdefault(i, x0),
        )
        assert len(seen) == 8
        x = first + sigmas[0] * fresh
        for i, (sigma, below) in enumerate(pairwise([*sigmas, 0.0])):
            x = x + (x - seen[i]) / sigma * (below - sigma)
        by_hand = to_image(REQUESTS[0], decode(parts, x)[0])
    assert np.abs(pixels(by_hand) - pixels(rendered.image)).max() <= 1
    record = rendered.manifest["passes"][0]
    assert record["schedule"]["timesteps"] == list(range(399, 0, -50))
    assert record["schedule"]["sigmas"] == [*(round(sigma, 5) for sigma in sigmas), 0.0]
    assert rendered.manifest["pass_noise_sha256"] == {
        "pass1/initial": noise_sha256(gaussian(0, "pass1/initial", 0, (4, 16, 16)))
    }
    assert rendered.manifest["mode"] == "text-to-image"
    plain = next(renderer.render(CHAIN, REQUESTS[:1]))
    assert pixel_sha256(plain.image) != pixel_sha256(rendered.image)
    assert plain.manifest["noise_sha256"] == rendered.manifest["noise_sha256"]


def test_at_a_vanishing_strength_the_last_level_alone_is_added(renderer, picture):
    """Strength 0.05 of 20 steps is one step from timestep 49: the state is the source plus that level of noise."""
    begun = []
    parts = renderer.parts
    recipe = dataclasses.replace(REPAINT, steps=20)
    with torch.inference_mode():
        start = encode(parts, torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1)
        text = condition(parts, recipe, ["1girl"] * 4)
        noise = BatchNoise([5] * 4, latent_shape(parts, 64, 64), parts.device)
        result = denoise(
            parts, recipe, text, noise, start=start.expand(4, -1, -1, -1), strength=0.05,
            refine=lambda x0, i: begun.append(i) or start.expand(4, -1, -1, -1),
        )  # fmt: skip
    assert begun == [0]
    torch.testing.assert_close(result, start.expand(4, -1, -1, -1))


MODES = {
    "chain": (CHAIN, lambda picture, mask: Mode(passes=(Pass(), Pass(0.2, "euler_a", 10)))),
    "image-to-image": (REPAINT, lambda picture, mask: Mode(picture, 0.5)),
    "inpainting": (REPAINT, lambda picture, mask: Mode(picture, 1.0, mask, (Pass(),))),
}


@pytest.mark.parametrize("name", MODES)
def test_neighbours_change_nothing_in_any_mode_and_all_is_recorded(renderer, tiny, picture, mask, name):
    recipe, make = MODES[name]
    mode = make(picture, mask)
    together = list(renderer.render(recipe, REQUESTS, mode=mode))
    alone = [next(renderer.render(recipe, [request], mode=mode)) for request in REQUESTS]
    assert [pixel_sha256(one.image) for one in together] == [pixel_sha256(one.image) for one in alone]
    assert len({pixel_sha256(one.image) for one in together}) == 3
    image, manifest = read_archive(archive_png(together[1].image, together[1].manifest))
    found = verify(image, manifest, tiny, source=mode.image, mask=mode.mask)
    assert (found.code, found.differing) == (0, ())


def test_inpainting_keeps_every_byte_outside_the_mask_and_changes_what_is_inside(renderer, picture, mask):
    mode = Mode(picture, 1.0, mask)
    for rendered in renderer.render(REPAINT, REQUESTS, mode=mode):
        changed = (pixels(rendered.image) != pixels(picture)).any(axis=2)
        inside = np.asarray(mask) > 0
        assert not changed[~inside].any()
        assert changed[inside].mean() > 0.9
        assert rendered.manifest["mode"] == "inpainting"


def test_every_byte_survives_its_way_through_put_back():
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(np.stack([values] * 3, axis=2))
    mode = Mode(image, 1.0, Image.new("L", (16, 16)))
    back = to_image(REQUESTS[0], put_back(mode, torch.zeros(3, 16, 16)))
    assert (pixels(back) == pixels(image)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda image: Mode(image.resize((32, 64))), "the image is 32x64, the recipe 64x64"),
        (lambda image: Mode(image, 1.0, Image.new("L", (8, 8))), "the mask is 8x8"),
        (lambda image: Mode(image, 1.0, Image.new("L", (64, 64), 127)), "the mask is black everywhere"),
    ],
)
def test_pictures_that_do_not_fit_are_refused_before_rendering(renderer, picture, make, message):
    with pytest.raises(RenderError, match=message):
        renderer.render(REPAINT, REQUESTS, mode=make(picture))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mode(strength=0.5), "need an image"),
        (lambda: Pass(strength=0), "strength must be above 0"),
        (lambda: Pass(sampler="ddim"), "'sampler' must be one of"),
        (lambda: Mode(passes=(Pass(),) * 5), "at most 4"),
        (lambda: parse_passes(["euler:x"]), "pass 'euler:x'"),
        (lambda: parse_passes(["euler:1:1:karras:1"]), "write SAMPLER:STEPS"),
    ],
)
def test_impossible_modes_name_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_verify_asks_for_the_pictures_and_takes_no_others(renderer, tiny, picture):
    rendered = next(renderer.render(REPAINT, REQUESTS[:1], mode=Mode(picture, 0.5)))
    with pytest.raises(ImageError, match="give --image"):
        verify(rendered.image, rendered.manifest, tiny)
    with pytest.raises(ImageError, match="pixel_sha256 differs"):
        verify(rendered.image, rendered.manifest, tiny, source=Image.new("RGB", (64, 64)))
    with pytest.raises(ImageError, match="leave out --mask"):
        verify(rendered.image, rendered.manifest, tiny, source=picture, mask=Image.new("L", (64, 64)))


def test_the_command_line_chains_and_repaints(tiny, picture, mask, tmp_path, capsys):
    picture.save(tmp_path / "in.png")
    mask.save(tmp_path / "mask.png")
    command = [
        "render",
        str(tiny),
        "--prompt",
        "1girl",
        "--seed",
        "1",
        "--out",
        str(tmp_path / "out"),
        "--threads",
        "1",
    ]
    given = ["--image", str(tmp_path / "in.png"), "--mask", str(tmp_path / "mask.png")]
    assert main([*command, *given, "--strength", "0.9", "--chain", "euler:4:0.5", "--chain", "euler_a:3"]) == 0
    assert main(command) == 0
    png = sorted((tmp_path / "out").iterdir(), key=lambda path: "source" in read_archive(path.read_bytes())[1])[-1]
    assert main(["verify", str(png), "--checkpoint", str(tiny), *given]) == 0
    capsys.readouterr()
    assert main([*command, "--strength", "0.9"]) == 1
    assert "need --image" in capsys.readouterr().err
    (tmp_path / "in.png").write_bytes(b"no picture")
    assert main([*command, *given]) == 1
    assert "in.png is no readable picture" in capsys.readouterr().err
    assert len(list((tmp_path / "out").iterdir())) == 2
