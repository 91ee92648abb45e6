"""Pictures of one character that differ in everything but who it is: what the encoder learns to see through.

Kept in every picture of a character: hair style, hair colour, skin, eye colour, blush or mustache.
Kept in four of five: what it wears on the head (eyewear, earrings); in the fifth something else or nothing.
Different in every picture: expression, background (one colour or a gradient), a garment or none, pose (place, size,
tilt, mirrored or not), light (brightness, contrast, saturation, hue, colour cast) and sharpness.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from training.dataset.characters import RESERVED_LOOKS
from training.dataset.render import SIZE, avatar_options, compose, rasterise
from training.dataset.scenes import Identity, random_identity, random_scene
from training.dataset.tables import EYEWEAR, HAIR, HAIR_COLORS, SKINS
from training.rng import stream

CHANGED_HEADWEAR = 0.2
GRADIENT = 0.5
GARMENT = 0.5
MAX_TILT = 15.0
SCALES = (0.85, 1.2)
MAX_SHIFT = 7.0
MAX_HUE = 8
MAX_BLUR = 0.9
MAX_NOISE = 6.0
# A garment's shoulders, drawn behind the head in the drawing's own units; they are placed and tilted with the head.
SHOULDERS = '<path d="M90 900C110 700 250 610 381 610S652 700 672 900Z" fill="{}" stroke="#000" stroke-width="9"/>'
HEAD = '<use transform="translate(143.2 162.9)" href="#head-'
LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Cast:
    """``pictures`` (N, 64, 64, 3) uint8, ``images`` of each character in turn; ``labels`` (N,): which character."""

    pictures: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


def draw_characters(seed: int, count: int, taken: Sequence[Identity] = ()) -> list[Identity]:
    """``count`` characters of different looks (hair, hair colour, skin), none of the demo's named or ``taken`` ones.

    Raises:
        ValueError: that many different looks do not exist.
    """
    looks = {*RESERVED_LOOKS, *(identity.look for identity in taken)}
    if count > len(HAIR) * len(HAIR_COLORS) * len(SKINS) - len(looks):
        raise ValueError(f"{count} more characters of different looks do not exist")
    rng = stream(seed, "ccip", "characters", len(taken))
    found: list[Identity] = []
    while len(found) < count:
        identity = random_identity(rng)
        if identity.look not in looks:
            looks.add(identity.look)
            found.append(identity)
    return found


def render_cast(
    seed: int, identities: Sequence[Identity], images: int, on_picture: Callable[[], None] | None = None
) -> Cast:
    """``images`` pictures of each character; each follows from (seed, the character, its number) alone."""
    pictures = np.empty((len(identities) * images, SIZE, SIZE, 3), dtype=np.uint8)
    for row in range(len(pictures)):
        identity = identities[row // images]
        pictures[row] = picture(stream(seed, "ccip", "picture", repr(identity), row % images), identity)
        if on_picture:
            on_picture()
    return Cast(pictures, np.repeat(np.arange(len(identities)), images))


def picture(rng: random.Random, identity: Identity) -> npt.NDArray[np.uint8]:
    """One picture (64, 64, 3) of the character, everything that may vary drawn from ``rng``."""
    svg = compose(_options(rng, identity))
    if rng.random() < GARMENT:
        svg = svg.replace(HEAD, SHOULDERS.format(_color(rng)) + HEAD, 1)
    return _lit(rng, rasterise(svg))


def _options(rng: random.Random, identity: Identity) -> dict[str, object]:
    """Dicebear options of a scene with any expression, pose and background."""
    if rng.random() < CHANGED_HEADWEAR:
        identity = _other_headwear(rng, identity)
    options = avatar_options(random_scene(rng, identity))
    colors = [_color(rng)]
    if rng.random() < GRADIENT:
        colors.append(_color(rng))
        options |= {"backgroundColorFill": "linear", "backgroundColorAngle": rng.randrange(360)}
    return options | {
        "backgroundColor": colors if len(colors) > 1 else colors[0],
        "scale": rng.uniform(*SCALES),
        "rotate": rng.uniform(-MAX_TILT, MAX_TILT),
        "translateX": rng.uniform(-MAX_SHIFT, MAX_SHIFT),
        "translateY": rng.uniform(-MAX_SHIFT, MAX_SHIFT),
    }


def _other_headwear(rng: random.Random, identity: Identity) -> Identity:
    eyewear = rng.choice([name for name in EYEWEAR if name != identity.eyewear])
    return replace(identity, eyewear=eyewear, earrings=HAIR[identity.hair].ear and rng.random() < 0.5)


def _color(rng: random.Random) -> str:
    return f"#{rng.randrange(2**24):06x}"


def _lit(rng: random.Random, image: Image.Image) -> npt.NDArray[np.uint8]:
    """The picture in another light and as sharp as it may be: hue, saturation, contrast, cast, brightness, noise."""
    hsv = np.array(image.convert("HSV"))
    hsv[..., 0] += np.uint8(rng.randint(-MAX_HUE, MAX_HUE) % 256)
    image = Image.fromarray(hsv, "HSV").convert("RGB").filter(ImageFilter.GaussianBlur(rng.uniform(0, MAX_BLUR)))
    pixels = np.asarray(image, dtype=np.float64)
    grey = (pixels @ LUMA)[..., None]
    pixels = grey + (pixels - grey) * rng.uniform(0.7, 1.25)
    pixels = 128 + (pixels - 128) * rng.uniform(0.8, 1.15)
    pixels = pixels * [rng.uniform(0.88, 1.12) for _ in range(3)] + rng.uniform(-20, 20)
    noise = np.random.default_rng(rng.getrandbits(64)).normal(0, rng.uniform(0, MAX_NOISE), pixels.shape)
    return (pixels + noise).round().clip(0, 255).astype(np.uint8)
