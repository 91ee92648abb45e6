import copy

import pytest
import torch
from PIL import Image

from generation.cli import main
from generation.errors import RenderError
from generation.imageio import pixel_sha256, read_archive
from generation.matchup import check_equal_conditions, conditions_hash, render_matchup
from generation.modes import Mode
from generation.recipe import ImageRequest, Recipe
from generation.renderer import Renderer
from generation.tiny import write_tiny_checkpoint

RECIPE = Recipe(steps=2, batch=2, content_rating="general", padding="masked")
REQUEST = ImageRequest("1girl, blue hair", 5)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Three tunes of one run, and one checkpoint that was trained with masked padding."""
    root = tmp_path_factory.mktemp("sides")
    for epoch in range(3):
        write_tiny_checkpoint(root / str(epoch), seed=4, epoch=epoch)
    write_tiny_checkpoint(root / "masked", seed=9, pad_mask=True)
    return root


def sides(folders, names):
    """One renderer, swapped from side to side."""
    renderer = None
    for name in names:
        if renderer is None:
            renderer = Renderer(folders / name, threads=1)
        else:
            renderer.swap(folders / name)
        yield renderer


def test_sides_share_noise_tokens_and_settings_and_differ_in_weights(folders):
    images = render_matchup(sides(folders, ["0", "1", "2", "masked"]), RECIPE, REQUEST)
    assert len({pixel_sha256(one.image) for one in images}) == 4
    for name in ("noise_sha256", "ancestral_noise_sha256", "sent_prompt", "schedule", "recipe_sha256", "padding"):
        assert len({str(one.manifest[name]) for one in images}) == 1


def changed(manifest, path, value):
    other = copy.deepcopy(manifest)
    *above, last = path.split(".")
    place = other
    for key in above:
        place = place[key]
    place[last] = value
    return other


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", 6), ("prompt", "1girl"), ("sent_prompt", "1girl, sensitive"), ("recipe.cfg", 3.0),
        ("recipe.content_rating", "sensitive"), ("noise_sha256", "0" * 64), ("tokens.ids", [[1], None]),
        ("dtype", "bfloat16"), ("batch_shape", [1, 4, 16, 16]), ("mode", "inpainting"), ("padding", "full77"),
        ("environment.threads", 2), ("environment.device", "cuda"),
        ("environment.processor", "another"), ("environment.packages.torch", "2.0"),
    ],
)  # fmt: skip
def test_any_other_difference_is_refused_and_named(folders, path, value):
    manifest = next(Renderer(folders / "0", threads=1).render(RECIPE, [REQUEST])).manifest
    check_equal_conditions([manifest, manifest])
    with pytest.raises(RenderError, match=f"sides 1 and 3 differ in {path}"):
        check_equal_conditions([manifest, manifest, changed(manifest, path, value)])
    assert conditions_hash(changed(manifest, path, value)) != conditions_hash(manifest)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("checkpoint.sha256", "0" * 64), ("checkpoint.zero_snr", True), ("components.vae", "0" * 64),
        ("loras", [{"sha256": "0" * 64, "scale": 1.0}]), ("pixel_sha256", "0" * 64), ("absent", None),
    ],
)  # fmt: skip
def test_what_belongs_to_the_weights_may_differ(folders, path, value):
    manifest = next(Renderer(folders / "0", threads=1).render(RECIPE, [REQUEST])).manifest
    check_equal_conditions([manifest, changed(manifest, path, value)])
    assert 0 <= conditions_hash(changed(manifest, path, value)) == conditions_hash(manifest) < 2**63


def test_padding_as_trained_is_no_equal_condition(folders):
    recipe = Recipe(steps=1, batch=1)
    with pytest.raises(RenderError, match="sides 1 and 2 differ in padding"):
        render_matchup(sides(folders, ["0", "masked"]), recipe, REQUEST)


def test_another_source_picture_is_no_equal_condition(folders):
    pictures = [Image.effect_noise((64, 64), sigma).convert("RGB") for sigma in (20, 90)]
    renderer = Renderer(folders / "0", threads=1)
    manifests = [next(renderer.render(RECIPE, [REQUEST], mode=Mode(one, 0.5))).manifest for one in pictures]
    with pytest.raises(RenderError, match=r"source\.pixel_sha256"):
        check_equal_conditions(manifests)


def test_a_broken_side_releases_nothing(folders):
    def broken():
        for number, renderer in enumerate(sides(folders, ["0", "1"])):
            if number:
                with torch.no_grad():
                    renderer.parts.vae.decoder.conv_out.weight.fill_(float("nan"))
            yield renderer

    with pytest.raises(RenderError, match="NaN or infinite"):
        render_matchup(broken(), RECIPE, REQUEST)
    with pytest.raises(ValueError, match="at least two sides"):
        render_matchup(sides(folders, ["0"]), RECIPE, REQUEST)


def test_the_command_writes_all_sides_or_nothing(folders, tmp_path, capsys):
    out = tmp_path / "out"
    tail = ["--prompt", "1girl", "--seed", "2", "--out", str(out), "--threads", "1"]
    assert main(["matchup", str(folders / "0"), str(folders / "masked"), *tail]) == 1
    assert "differ in padding" in capsys.readouterr().err
    assert not out.exists()
    assert main(["matchup", str(folders / "0"), str(folders / "1"), str(folders / "2"), *tail]) == 0
    names = [f"side-{number}.png" for number in (1, 2, 3)]
    assert sorted(path.name for path in out.iterdir()) == ["blind", *names]
    manifests = [read_archive((out / name).read_bytes())[1] for name in names]
    assert [manifest["checkpoint"]["epoch"] for manifest in manifests] == [0, 1, 2]
    assert all(b"tEXt" not in (out / "blind" / name).read_bytes() for name in names)
    capsys.readouterr()
    assert main(["matchup", str(folders / "0"), str(folders / "1"), *tail]) == 1
    assert "is there already" in capsys.readouterr().err
