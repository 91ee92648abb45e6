"""What a checkpoint can do: prompts rendered by the project's own renderer and read by the attribute check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from generation.recipe import ImageRequest
from generation.renderer import Renderer
from training.attributes import Match, match_table, wanted
from training.attributes_net import Checker
from training.captions import prompt_text
from training.posts import Post

SHEET_SCALE = 2
IDENTITY = frozenset({"hair_color", "hair_style", "eyewear", "skin", "eye_color"})  # what a named character keeps


@dataclass(frozen=True)
class Measured:
    """The attribute table of one checkpoint and the images behind it, in the posts' order."""

    rows: list[Match]
    images: list[Image.Image]

    def shares(self) -> dict[str, float]:
        """Matched share by attribute."""
        return {row.attribute: round(row.share, 3) for row in self.rows}


def measure(
    folder: Path,
    posts: Sequence[Post],
    checker: Checker,
    *,
    cfg: float | None = None,
    steps: int | None = None,
    by_name: bool = False,
) -> Measured:
    """Render one image for each post's prompt (seed: the post's id) and compare it with the post's tags.

    ``by_name``: the prompt holds the character's name and what varies, none of the tags that make up its identity;
    these are what is then measured. ``cfg`` and ``steps`` replace those of the checkpoint's own recipe.
    """
    renderer = Renderer(folder)
    recipe = renderer.info.recipe
    recipe = replace(recipe, cfg=recipe.cfg if cfg is None else cfg, steps=recipe.steps if steps is None else steps)
    texts = [name_prompt(post) if by_name else prompt_text(post) for post in posts]
    requests = [ImageRequest(text, post.id) for text, post in zip(texts, posts, strict=True)]
    images = [rendered.image for rendered in renderer.render(recipe, requests)]
    demands = [_identity(wanted(post)) if by_name else wanted(post) for post in posts]
    return Measured(match_table(demands, checker.predict(images)), images)


def _identity(demand: Mapping[str, str]) -> dict[str, str]:
    return {attribute: value for attribute, value in demand.items() if attribute in IDENTITY}


def name_prompt(post: Post) -> str:
    """Person count, name, solo: everything else must come from the name."""
    return prompt_text([tag for tag in post.general if tag in {"1girl", "1boy", "solo"}], characters=post.character)


def sheet(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Rows of images as one picture, each image twice its size."""
    width, height = rows[0][0].size
    step_x, step_y = width * SHEET_SCALE + 2, height * SHEET_SCALE + 2
    page = Image.new("RGB", (step_x * max(map(len, rows)), step_y * len(rows)), "white")
    for top, row in enumerate(rows):
        for left, image in enumerate(row):
            scaled = image.resize((width * SHEET_SCALE, height * SHEET_SCALE), Image.Resampling.BICUBIC)
            page.paste(scaled, (left * step_x, top * step_y))
    return page
