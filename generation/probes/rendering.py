"""Render a probe's pictures into a folder, once each: VARIANT/CASE-SEED.png, with their Manifests."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from generation.errors import ImageError
from generation.files import write_bytes
from generation.imageio import archive_png, blind_png, read_archive
from generation.modes import PLAIN, Mode
from generation.probes.colour import Pixels
from generation.probes.measures import hole
from generation.probes.probe import Case, Probe, Variant
from generation.recipe import ImageRequest, Recipe

GREY = 128
DAMAGED = "damaged"
Images = dict[str, dict[str, Pixels]]
Picture = tuple[Case, int, Pixels]


@dataclass(frozen=True, slots=True)
class Side:
    """One checkpoint to probe.

    Attributes:
        recipe: its own, before a variant's fields.
        renderer: ``renderer(lora)`` gives a Renderer that holds the checkpoint, with the LoRAs or without them.
        folder: where its pictures go.
    """

    recipe: Recipe
    renderer: Callable[[bool], Any]
    folder: Path


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked of every side."""

    probe: Probe
    cases: Sequence[Case]
    seeds: Sequence[int]

    @property
    def total(self) -> int:
        """Pictures of one side, those of the home checkpoint not counted."""
        own = sum(not variant.home for variant in self.probe.variants)
        return own * len(self.cases) * len(self.seeds)

    @property
    def keys(self) -> list[tuple[Case, int]]:
        """Every case with every seed."""
        return [(case, seed) for case in self.cases for seed in self.seeds]


def render(work: Work, side: Side, *, on_image: Callable[[int], None] = lambda done: None) -> Images:
    """The pictures by case and variant, (S, H, W, 3) bytes over the seeds; those of the home checkpoint are left out.

    A picture that is there, of these weights, recipe, prompt and seed, is not rendered again; any other file of its
    name is replaced. ``on_image`` is told how many of `Work.total` there are.

    Raises RenderError or CheckpointError as the Renderer does; what was finished stays.
    """
    found: Images = {case.name: {} for case in work.cases}
    count = 0
    for variant in work.probe.variants:
        if variant.home:
            continue
        pictures = {}
        for case, seed, picture in _variant(work, side, variant):
            pictures[case.name, seed] = picture
            on_image(count := count + 1)
        for case in work.cases:
            found[case.name][variant.name] = np.stack([pictures[case.name, seed] for seed in work.seeds])
    return found


def with_home(images: Images, home: Images) -> Images:
    """The pictures of a checkpoint, and those of the home checkpoint as ``home_...``."""
    return {
        case: {**own, **{f"home_{name}": pictures for name, pictures in home[case].items()}}
        for case, own in images.items()
    }


def damaged(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """The picture with its middle painted grey, and the mask of what is to be mended."""
    cut = hole(image.height, image.width)
    pixels = np.asarray(image.convert("RGB")).copy()
    pixels[cut] = GREY
    return Image.fromarray(pixels), Image.fromarray(np.where(cut, np.uint8(255), np.uint8(0)))


def path_of(side: Side, variant: str, case: Case, seed: int) -> Path:
    """The file of one picture."""
    return side.folder / variant / f"{case.name}-{seed}.png"


def _variant(work: Work, side: Side, variant: Variant) -> Iterator[Picture]:
    renderer = side.renderer(variant.lora)
    recipe = variant.recipe_of(side.recipe)
    (side.folder / variant.name).mkdir(parents=True, exist_ok=True)
    for mode, keys in _batches(work, side, variant):
        absent = []
        for case, seed in keys:
            request = ImageRequest(case.texts[variant.text], seed)
            kept = _kept(path_of(side, variant.name, case, seed), _expected(renderer, recipe, mode, request))
            if kept is None:
                absent.append((case, request))
            else:
                yield case, seed, kept
        requests = [request for _, request in absent]
        rendered = renderer.render(recipe, requests, mode=mode)
        for (case, request), one in zip(absent, rendered, strict=True):
            write_bytes(path_of(side, variant.name, case, request.seed), archive_png(one.image, one.manifest))
            yield case, request.seed, np.asarray(one.image)


def _batches(work: Work, side: Side, variant: Variant) -> Iterator[tuple[Mode, list[tuple[Case, int]]]]:
    """Pictures of one mode together: all of them, or each by itself where it mends a picture of its own."""
    if variant.source is None:
        yield PLAIN, work.keys
        return
    for case, seed in work.keys:
        source, _ = read_archive(path_of(side, variant.source, case, seed).read_bytes())
        image, mask = damaged(source)
        _keep_sources(side, case, seed, image, mask)
        yield Mode(image=image, mask=mask), [(case, seed)]


def _keep_sources(side: Side, case: Case, seed: int, image: Image.Image, mask: Image.Image) -> None:
    """What ``verify`` asks for: ``damaged/CASE-SEED.png`` and ``damaged/mask.png``."""
    for name, picture in ((f"{case.name}-{seed}", image), ("mask", mask)):
        path = side.folder / DAMAGED / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, blind_png(picture))


def _expected(renderer: Any, recipe: Recipe, mode: Mode, request: ImageRequest) -> dict[str, Any]:
    """What a Manifest says if it is of this very request."""
    return {
        "loras": [dict(one) for one in renderer.parts.loras],
        "recipe_sha256": recipe.sha256,
        "prompt": request.prompt,
        "seed": request.seed,
        "mode": mode.name,
        "dtype": str(renderer.parts.dtype).removeprefix("torch."),
        "sha256": renderer.info.sha256,
        **mode.record(),
    }


def _kept(path: Path, expected: dict[str, Any]) -> Pixels | None:
    """The picture of a file that is what is expected; None for any other, or none."""
    try:
        image, manifest = read_archive(path.read_bytes())
    except (OSError, ImageError):
        return None
    said = {**manifest, "sha256": manifest["checkpoint"]["sha256"]}
    return np.asarray(image) if all(said.get(name) == value for name, value in expected.items()) else None
