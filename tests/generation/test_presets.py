import dataclasses

import pytest

from generation.cli import main
from generation.errors import RenderError
from generation.loading import Origin, load
from generation.presets import PRESETS
from generation.recipe import ImageRequest, Recipe
from generation.renderer import Renderer

SEAL = ["--run", "r", "--epoch", "1", "--step", "1", "--licence", "x"]


@pytest.fixture
def unsealed(scratch):
    (scratch / "checkpoint.json").unlink()
    return scratch


@pytest.mark.parametrize(
    ("name", "side", "most"), [("illustrious-0.1", 1024, 1024**2), ("illustrious-1", 1536, 2048**2)]
)
def test_the_papers_numbers(name, side, most):
    """Appendix B.2: Euler A, more than 20 steps, CFG 5 to 7.5; v0.1 at 1 MP, later ones 1536 native, up to 4 MP."""
    preset = PRESETS[name]
    recipe = preset.recipe
    assert (recipe.sampler, recipe.steps, recipe.cfg) == ("euler_a", 28, 6.0)
    assert (recipe.width, recipe.height, preset.max_pixels) == (side, side, most)
    assert (recipe.padding, recipe.long_prompts) == ("masked", "chunks")
    for width, height in preset.shapes:
        assert 0.9 * side**2 <= width * height <= 1.01 * side**2
        preset.check(dataclasses.replace(recipe, width=width, height=height))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps": 20}, "more than 20"),
        ({"cfg": 4.9}, "5 to 7.5"),
        ({"cfg": 7.6}, "5 to 7.5"),
        ({"width": 1032}, "1 megapixels this checkpoint renders directly; render smaller and upscale"),
    ],
)
def test_a_recipe_outside_the_papers_ranges_is_refused(fields, message):
    preset = PRESETS["illustrious-0.1"]
    with pytest.raises(ValueError, match=message):
        preset.check(dataclasses.replace(preset.recipe, **fields))


def test_a_checkpoint_sealed_by_a_preset_keeps_its_limit(unsealed):
    assert main(["seal", str(unsealed), *SEAL, "--preset", "illustrious-0.1"]) == 0
    info = load(Origin(unsealed)).parts.info
    assert (info.recipe, info.max_pixels) == (PRESETS["illustrious-0.1"].recipe, 1024**2)
    with pytest.raises(RenderError, match="upscale"):
        Renderer(unsealed).render(Recipe(width=2048, height=1024), [ImageRequest("1girl", 1)])


def test_sealing_outside_the_range_writes_nothing(unsealed, capsys):
    assert main(["seal", str(unsealed), *SEAL, "--preset", "illustrious-1", "--steps", "12"]) == 1
    assert "more than 20" in capsys.readouterr().err
    assert not (unsealed / "checkpoint.json").exists()
