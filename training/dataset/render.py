"""A Scene rendered to PNG bytes: dicebear composes the SVG, resvg rasterises it."""

import functools
import io
import json
from importlib import resources
from typing import Any

import resvg_py
from dicebear import Avatar, Style
from PIL import Image

from training.dataset.scenes import Scene
from training.dataset.tables import (
    BACKGROUNDS,
    BROWS,
    DETAILS,
    EARRING_VARIANT,
    EYE_COLORS,
    EYES,
    EYEWEAR,
    EYEWEAR_COLORS,
    HAIR_COLORS,
    MOUTHS,
    SKINS,
    STYLE,
)

SIZE = 64
# The widest hair still fits, and the face parts gain the pixels they need.
SCALE = 1.1


@functools.cache
def style_definition() -> dict[str, object]:
    """The style's definition file as installed, with its licence under ``meta``."""
    definition: dict[str, object] = json.loads(
        resources.files("dicebear_styles").joinpath(f"{STYLE}.json").read_text("utf-8")
    )
    return definition


def licence() -> dict[str, str]:
    """Whose drawing style it is and what whoever passes pictures on has to say."""
    meta: Any = style_definition()["meta"]
    return {
        "name": STYLE,
        "title": meta["source"]["name"],
        "creator": meta["creator"]["name"],
        "licence": meta["license"]["name"],
        "licence_url": meta["license"]["url"],
        "attribution": meta["license"]["text"],
        "source": meta["source"]["url"],
    }


@functools.cache
def _style() -> Style:
    """Validating a style takes 0.4 s, so once per process."""
    return Style(style_definition())


def avatar_options(scene: Scene, size: int = SIZE) -> dict[str, object]:
    """Dicebear options that fix every choice, so that nothing is left to its own randomness."""
    who = scene.identity
    options: dict[str, object] = {
        "seed": "fixed",
        "size": size,
        "scale": SCALE,
        "flip": "horizontal" if scene.flip else "none",
        "translateX": scene.shift[0],
        "translateY": scene.shift[1],
        "backgroundColor": BACKGROUNDS[scene.background],
        "hairVariant": who.hair,
        "hairColor": HAIR_COLORS[who.hair_color],
        "skinColor": SKINS[who.skin].hex,
        "eyesVariant": EYES[scene.eyes].variant,
        "eyesColor": EYE_COLORS[who.eye_color],
        "mouthVariant": MOUTHS[scene.mouth].variant,
        "eyebrowsVariant": BROWS[scene.brows].variant,
        "earringsVariant": EARRING_VARIANT,
        "earringsProbability": 100 if who.earrings else 0,
    }
    options |= _optional("glasses", EYEWEAR[who.eyewear].variant)
    options |= _optional("details", DETAILS[who.detail].variant)
    if who.eyewear in EYEWEAR_COLORS:
        options["glassesColor"] = EYEWEAR_COLORS[who.eyewear]
    return options


def _optional(component: str, variant: str | None) -> dict[str, object]:
    if variant is None:
        return {f"{component}Probability": 0}
    return {f"{component}Variant": variant, f"{component}Probability": 100}


def render(scene: Scene, size: int = SIZE) -> Image.Image:
    """The scene as an RGB image of ``size`` x ``size`` pixels."""
    return rasterise(compose(avatar_options(scene, size)))


def compose(options: dict[str, object]) -> str:
    """The drawing as SVG."""
    return str(Avatar(_style(), options).to_string())


def rasterise(svg: str) -> Image.Image:
    """The SVG as an RGB image of its own size."""
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True))
    return Image.open(io.BytesIO(png)).convert("RGB")


def png_bytes(scene: Scene) -> bytes:
    """The scene as PNG file content, ``SIZE`` x ``SIZE`` pixels; equal scenes give equal bytes."""
    buffer = io.BytesIO()
    render(scene).save(buffer, format="PNG")
    return buffer.getvalue()
