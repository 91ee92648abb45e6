"""What is measured of a probe's pictures: pure functions of bytes. Formulas, units and ranges stand in docs/probes.md.

Every measure takes the pictures of one case by variant, (S, H, W, 3) bytes over the S seeds, and gives named numbers.
"""

from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from generation.probes.colour import Numbers, Pixels, lab, luminance, of_hex
from generation.probes.probe import Case

Images = Mapping[str, Pixels]
Measure = Callable[[Images, Case], dict[str, float]]

SHADOW = 64
NEAR = 30.0
LEAST_SHARE = 0.01
LEVELS = 8
THUMBNAIL = 8


def dynamic_range(images: Images, case: Case) -> dict[str, float]:
    """A.4. Does brightness follow the prompt, and does the dark hold a silhouette? Variants: dark, bright."""
    dark, bright = luminance(images["dark"]), luminance(images["bright"])
    return {
        "span": float(bright.mean() - dark.mean()) / 255,
        "dark_mean": float(dark.mean()),
        "bright_mean": float(bright.mean()),
        "shadow_share": float((levels(dark) < SHADOW).mean()),
        "shadow_bits": float(np.mean([shadow_bits(one) for one in dark])),
        "silhouette": float(np.mean([two_groups(one) for one in dark])),
    }


def multi_character(images: Images, case: Case) -> dict[str, float]:
    """A.2.2. Do two characters stand apart, each in its own colour? Variants: apart, combined."""
    apart = [separation(one, case.colours) for one in images["apart"]]
    combined = [separation(one, case.colours) for one in images["combined"]]
    return {
        "separation": float(np.mean([one for one, _ in apart])),
        "both_present": float(np.mean([both for _, both in apart])),
        "combined_separation": float(np.mean([one for one, _ in combined])),
        "combined_both_present": float(np.mean([both for _, both in combined])),
    }


def lora_transfer(images: Images, case: Case) -> dict[str, float]:
    """A.2.1. Does a LoRA change colours here as on its home checkpoint? Variants: plain, adapted, and home's."""
    here = colour_histogram(images["adapted"]) - colour_histogram(images["plain"])
    home = colour_histogram(images["home_adapted"]) - colour_histogram(images["home_plain"])
    lengths = float(np.linalg.norm(here) * np.linalg.norm(home))
    return {
        "transfer": float(here @ home) / lengths if lengths else 0.0,
        "strength": float(np.abs(here).sum()) / 2,
        "home_strength": float(np.abs(home).sum()) / 2,
        "pixel_change": difference(images["plain"], images["adapted"]),
    }


def prompt_length(images: Images, case: Case) -> dict[str, float]:
    """A.2.3. Does a detailed prompt bring detail? Variants: short, long."""
    short, long = detail(images["short"]), detail(images["long"])
    return {
        "detail_gain": long - short,
        "short_detail": short,
        "long_detail": long,
        "short_diversity": diversity(images["short"]),
        "long_diversity": diversity(images["long"]),
    }


def inpainting(images: Images, case: Case) -> dict[str, float]:
    """A.3. Do colours inside a mended hole fit those around it? Variants: original, inpainted."""
    before, after = images["original"], images["inpainted"]
    inside = rim(*before.shape[1:3])
    was, now = lab(before[:, inside]), lab(after[:, inside])  # (S, rim pixels, 3)
    shift = (now - was).mean(axis=1)
    chroma = np.hypot(now[..., 1], now[..., 2]) - np.hypot(was[..., 1], was[..., 2])
    return {
        "colour_mismatch": float(np.linalg.norm(shift, axis=1).mean()),
        "lightness_shift": float(shift[:, 0].mean()),
        "saturation_shift": float(chroma.mean()),
        "seam": border_step(after) - border_step(before),
    }


def padding(images: Images, case: Case) -> dict[str, float]:
    """A.6. How much do padding tokens change a picture, with guidance and without? Variants: see the TOML file."""
    guided = difference(images["padded"], images["masked"])
    plain = difference(images["padded_no_cfg"], images["masked_no_cfg"])
    return {"effect": guided, "effect_no_cfg": plain, "amplification": guided - plain}


MEASURES: dict[str, Measure] = {
    "dynamic-range": dynamic_range,
    "multi-character": multi_character,
    "lora-transfer": lora_transfer,
    "prompt-length": prompt_length,
    "inpainting": inpainting,
    "padding": padding,
}


def levels(luma: Numbers) -> NDArray[np.intp]:
    """The nearest whole level: the bin of the luminance histogram."""
    return np.rint(luma).astype(np.intp)


def shadow_bits(luma: Numbers) -> float:
    """Shannon entropy, 0..6 bits, of the histogram of whole levels below 64; 0 where nothing is that dark."""
    whole = levels(luma)
    counts = np.bincount(whole[whole < SHADOW])
    shares = counts[counts > 0] / max(1, counts.sum())
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def two_groups(luma: Numbers) -> float:
    """Otsu's separability, 0..1: variance between the two groups of the best threshold over all variance (Otsu 1979).

    Brightening a picture evenly leaves it as it is. A flat picture has 0.
    """
    counts = np.bincount(levels(luma).ravel(), minlength=256).astype(np.float64)
    grey = np.arange(256)
    total, mean = counts.sum(), counts @ grey / counts.sum()
    variance = counts @ (grey - mean) ** 2 / total
    below, sums = np.cumsum(counts)[:-1], np.cumsum(counts * grey)[:-1]
    split = (below > 0) & (below < total)
    if not variance or not split.any():
        return 0.0
    share = below[split] / total
    between = (mean * share - sums[split] / total) ** 2 / (share * (1 - share))
    return float(between.max() / variance)


def separation(pixels: Pixels, colours: tuple[str, ...]) -> tuple[float, bool]:
    """How far two colours stand apart from left to right, 0 mixed to 1, and whether both are there.

    A pixel belongs to the nearer colour if that is within 30 in CIELAB (CIE 1976). Both are there if each has 1 % of
    the pixels; otherwise the separation is 0. It is ``|2 U - 1|``, U being the probability that a pixel of the first
    lies left of one of the second, half for equal columns (Mann & Whitney 1947).
    """
    first, second = (np.linalg.norm(lab(pixels) - lab(of_hex(colour)), axis=-1) for colour in colours)
    left = ((first <= NEAR) & (first <= second)).sum(axis=0)  # (W,)
    right = ((second <= NEAR) & (second < first)).sum(axis=0)
    if min(left.sum(), right.sum()) < LEAST_SHARE * first.size:
        return 0.0, False
    further = right.sum() - np.cumsum(right)
    u = (left * (further + right / 2)).sum() / (left.sum() * right.sum())
    return abs(2 * float(u) - 1), True


def colour_histogram(pixels: Pixels) -> Numbers:
    """(512,) shares of all pixels, 8 levels a channel; they add up to 1."""
    coarse = (pixels // (256 // LEVELS)).astype(np.intp)
    index = (coarse[..., 0] * LEVELS + coarse[..., 1]) * LEVELS + coarse[..., 2]
    counts = np.bincount(index.ravel(), minlength=LEVELS**3)
    return counts / counts.sum()


def detail(pixels: Pixels) -> float:
    """Mean difference of luminance, 0..255 levels, between a pixel and its neighbours to the right and below."""
    luma = luminance(pixels)
    steps = [np.abs(np.diff(luma, axis=axis)) for axis in (-2, -1)]
    return float(sum(step.sum() for step in steps) / sum(step.size for step in steps))


def diversity(pixels: Pixels) -> float:
    """Mean over pairs of seeds of the root mean square difference of 8 x 8 thumbnails, 0..1; 0 for one seed."""
    small = thumbnails(pixels) / 255
    pairs = [float(np.sqrt(((a - b) ** 2).mean())) for a, b in combinations(small, 2)]
    return float(np.mean(pairs)) if pairs else 0.0


def thumbnails(pixels: Pixels) -> Numbers:
    """(S, 8, 8, 3): means over 8 x 8 blocks of about equal size; a side below 8 keeps its own pixels."""
    counts = [min(THUMBNAIL, side) for side in pixels.shape[1:3]]
    rows, columns = (np.arange(n) * side // n for n, side in zip(counts, pixels.shape[1:3], strict=True))
    sums = np.add.reduceat(np.add.reduceat(pixels.astype(np.float64), rows, axis=1), columns, axis=2)
    heights, widths = (
        np.diff(np.append(starts, side)) for starts, side in zip((rows, columns), pixels.shape[1:3], strict=True)
    )
    means: Numbers = sums / (heights[:, None] * widths)[None, :, :, None]
    return means


def difference(one: Pixels, other: Pixels) -> float:
    """Mean over seeds of the root mean square difference of all channel values, 0..1."""
    squares = ((one.astype(np.float64) - other) / 255) ** 2
    return float(np.sqrt(squares.mean(axis=(1, 2, 3))).mean())


def hole(height: int, width: int) -> NDArray[np.bool_]:
    """(H, W), true in what is cut out and mended: the middle half of both sides."""
    inside = np.zeros((height, width), dtype=np.bool_)
    inside[height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    return inside


def rim(height: int, width: int) -> NDArray[np.bool_]:
    """(H, W), true in the outermost 1/32 of the shorter side (at least one pixel) of the hole."""
    thick = max(1, min(height, width) // 32)
    inside = hole(height, width)
    inside[height // 4 + thick : height - height // 4 - thick, width // 4 + thick : width - width // 4 - thick] = False
    return inside


def border_step(pixels: Pixels) -> float:
    """Mean difference of luminance, in levels, between the pixels on both sides of the hole's border."""
    luma = luminance(pixels)
    top, left = pixels.shape[1] // 4, pixels.shape[2] // 4
    bottom, right = pixels.shape[1] - top, pixels.shape[2] - left
    steps = [luma[:, y, left:right] - luma[:, y - 1, left:right] for y in (top, bottom)]
    steps += [luma[:, top:bottom, x] - luma[:, top:bottom, x - 1] for x in (left, right)]
    return float(np.abs(np.concatenate(steps, axis=1)).mean())
