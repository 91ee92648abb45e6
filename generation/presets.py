"""How the paper samples (Illustrious, B.2), as recipes to start from and limits to keep. No torch here."""

from dataclasses import dataclass, replace

from generation.families import Family
from generation.recipe import Recipe

MEGAPIXEL = 1024 * 1024
LEAST_STEPS = 21
CFG_RANGE = (5.0, 7.5)


@dataclass(frozen=True, slots=True)
class Preset:
    """A recipe, what the checkpoint can do at most, and sizes it was trained for.

    Attributes:
        max_pixels: of one image rendered directly; larger ones are upscaled.
        shapes: (width, height), each of about the native number of pixels, from square to 1:2.
    """

    recipe: Recipe
    max_pixels: int
    shapes: tuple[tuple[int, int], ...]

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError when a recipe leaves the paper's ranges: more than 20 steps, CFG 5 to 7.5, its pixels."""
        low, high = CFG_RANGE
        if recipe.steps < LEAST_STEPS:
            raise ValueError(f"steps is {recipe.steps}; the paper uses more than 20: seal without --preset")
        if not low <= recipe.cfg <= high:
            raise ValueError(f"cfg is {recipe.cfg:g}; the paper uses {low:g} to {high:g}: seal without --preset")
        if recipe.width * recipe.height > self.max_pixels:
            raise ValueError(too_large(recipe.width, recipe.height, self.max_pixels))


def too_large(width: int, height: int, max_pixels: int) -> str:
    """What to say of a size beyond a checkpoint's pixels."""
    return (
        f"{width}x{height} is more than the {max_pixels / MEGAPIXEL:g} megapixels this checkpoint renders directly; "
        "render smaller and upscale"
    )


# Padding is masked, as A.6 recommends, and no text is lost.
PAPER_RECIPE = Recipe(
    sampler="euler_a",
    steps=28,
    cfg=6.0,
    width=1024,
    height=1024,
    batch=1,
    padding="masked",
    long_prompts="chunks",
)


def first_recipe(family: Family) -> Recipe:
    """The paper's recipe in a family's native size: what a checkpoint has until somebody chooses."""
    return replace(PAPER_RECIPE, width=family.side, height=family.side)


SHAPES_1MP = ((1024, 1024), (896, 1152), (1152, 896), (832, 1216), (1216, 832), (768, 1344), (1344, 768))
SHAPES_1536 = ((1536, 1536), (1344, 1728), (1728, 1344), (1248, 1824), (1824, 1248), (1088, 2048), (2048, 1088))

PRESETS = {
    "illustrious-0.1": Preset(PAPER_RECIPE, MEGAPIXEL, SHAPES_1MP),
    "illustrious-1": Preset(replace(PAPER_RECIPE, width=1536, height=1536), 4 * MEGAPIXEL, SHAPES_1536),
}
