"""Upscaling by tiled image-to-image (SDEdit, Meng et al. 2021), to sizes that no device renders at once.

Every tile is rendered by itself from the enlarged source, with noise that belongs to places of the picture: where two
tiles overlap, both see the same source and the same noise. Memory is that of one batch of tiles, whatever the size.
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from generation.batch import decode, encode, latent_shape, to_bytes
from generation.canonical import canonical_sha256
from generation.conditioning import condition
from generation.content import sent_prompt
from generation.denoise import ShouldStop, denoise
from generation.errors import RenderError
from generation.files import whole
from generation.imageio import archive_chunks
from generation.loading import Parts
from generation.manifest import check_sizes, shared_manifest, text_record
from generation.modes import Mode
from generation.noise import gaussian
from generation.pngrows import write_png
from generation.recipe import ImageRequest, Recipe
from generation.renderer import Renderer
from generation.tiles import Mosaic, Side

BLOCK = 32
Tile = tuple[int, int]
Order = Callable[[list[Tile]], list[Tile]]


@dataclass(frozen=True, slots=True)
class Enlargement:
    """How a picture is upscaled: its size then, what tiles overlap in pixels, and the strength of a tile's pass."""

    width: int
    height: int
    overlap: int
    strength: float = 0.3


class PlacedNoise:
    """Unit noise of tiles at latent places (x, y), shaped (B, C, h, w): the same place has the same noise in any tile.

    The plane is cut into blocks of 32 x 32 cells, each with a stream of its own, so only what tiles need is drawn.
    """

    def __init__(self, seed: int, places: list[Tile], shape: tuple[int, int, int], device: torch.device) -> None:
        self._seed, self._places, self._shape, self._device = seed, places, shape, device

    def __call__(self, purpose: str, step: int) -> torch.Tensor:
        drawn = {place: self._at(place, purpose, step) for place in set(self._places)}
        return torch.from_numpy(np.stack([drawn[place] for place in self._places])).to(self._device)

    def _at(self, place: Tile, purpose: str, step: int) -> NDArray[np.float32]:
        _, height, width = self._shape
        x, y = place
        left, top = x // BLOCK, y // BLOCK
        rows = [
            np.concatenate([self._block(column, row, purpose, step) for column in _blocks(x, width)], axis=2)
            for row in _blocks(y, height)
        ]
        plane = np.concatenate(rows, axis=1)
        x, y = x - left * BLOCK, y - top * BLOCK
        return plane[:, y : y + height, x : x + width]

    def _block(self, column: int, row: int, purpose: str, step: int) -> NDArray[np.float32]:
        return gaussian(self._seed, f"upscale/{purpose}/{column},{row}", step, (self._shape[0], BLOCK, BLOCK))


def upscale(
    renderer: Renderer,
    recipe: Recipe,
    request: ImageRequest,
    source: Image.Image,
    enlargement: Enlargement,
    out: Path,
    *,
    order: Order = list,
    on_tile: Callable[[int, int], None] | None = None,
    should_stop: ShouldStop | None = None,
) -> dict[str, Any]:
    """Write ``out``, an archived PNG, and return its Manifest. Interrupted, it goes on with the missing tiles.

    Args:
        recipe: of every tile; its width and height are the tile's.
        order: in which the tiles are rendered, which changes nothing; for tests of that.
        on_tile: called as ``on_tile(done, total)``.
        should_stop: asked before each step; when true, Cancelled is raised; finished tiles stay.

    Raises RenderError when sizes do not fit, or a tile has pixels that are not finite, or all is one flat colour.
    """
    parts, mode = renderer.parts, Mode(source, enlargement.strength)
    latent_shape(parts, recipe.width, recipe.height)
    check_sizes(parts, recipe, [request], mode)
    shared = shared_manifest(parts, recipe, mode) | {"mode": "upscaling", "upscaling": asdict(enlargement)}
    key = canonical_sha256([shared, request.prompt, request.seed])
    mosaic = _mosaic(out.with_name(f".{out.name}.{key[:16]}.tiles"), parts, recipe, enlargement)
    mosaic.folder.mkdir(parents=True, exist_ok=True)
    total, waiting = len(mosaic.tiles()), order(mosaic.missing())
    for start in range(0, len(waiting), recipe.batch):
        tiles = waiting[start : start + recipe.batch]
        _render(parts, recipe, request, source, enlargement, mosaic, tiles, should_stop)
        if on_tile is not None:
            on_tile(total - len(waiting) + start + len(tiles), total)
    manifest = {
        **shared,
        **text_record(parts, recipe, request),
        "pixel_sha256": _pixel_sha256(request, mosaic),
    }
    with whole(out) as partial, partial.open("wb") as file:
        write_png(file, mosaic.across.size, mosaic.down.size, mosaic.rows(), archive_chunks(manifest))
    shutil.rmtree(mosaic.folder)
    return manifest


def _mosaic(folder: Path, parts: Parts, recipe: Recipe, enlargement: Enlargement) -> Mosaic:
    try:
        unit = parts.latent_factor
        across = Side(enlargement.width, recipe.width, enlargement.overlap, unit)
        return Mosaic(folder, across, Side(enlargement.height, recipe.height, enlargement.overlap, unit))
    except ValueError as error:
        raise RenderError(str(error)) from error


@torch.inference_mode()
def _render(
    parts: Parts,
    recipe: Recipe,
    request: ImageRequest,
    source: Image.Image,
    enlargement: Enlargement,
    mosaic: Mosaic,
    tiles: list[Tile],
    should_stop: ShouldStop | None,
) -> None:
    """Render one batch of tiles; missing rows repeat the first, so that the batch always has its shape."""
    rows = tiles + tiles[:1] * (recipe.batch - len(tiles))
    factor = parts.latent_factor
    # One by one, because the VAE's bits depend on the number of rows and its memory grows with it.
    pieces = {tile: _enlarged(source, enlargement, recipe, tile) for tile in set(rows)}
    latents = {tile: encode(parts, piece) for tile, piece in pieces.items()}
    noise = PlacedNoise(
        request.seed,
        [(x // factor, y // factor) for x, y in rows],
        latent_shape(parts, recipe.width, recipe.height),
        parts.device,
    )
    done = denoise(
        parts,
        recipe,
        condition(parts, recipe, [sent_prompt(recipe, request.prompt)] * recipe.batch),
        noise,
        start=torch.cat([latents[tile] for tile in rows]),
        strength=enlargement.strength,
        should_stop=should_stop,
    )
    for tile, latent in zip(tiles, done, strict=False):
        mosaic.put(*tile, to_bytes(request, decode(parts, latent[None])[0]).numpy())


def _enlarged(source: Image.Image, enlargement: Enlargement, recipe: Recipe, tile: Tile) -> torch.Tensor:
    """(1, 3, H, W) in -1..1: the tile's part of the source as Lanczos enlarges it, without enlarging the rest."""
    wide, high = source.width / enlargement.width, source.height / enlargement.height
    x, y = tile
    box = (x * wide, y * high, (x + recipe.width) * wide, (y + recipe.height) * high)
    part = source.convert("RGB").resize((recipe.width, recipe.height), Image.Resampling.LANCZOS, box=box)
    return torch.from_numpy(np.array(part)).permute(2, 0, 1)[None].float() / 127.5 - 1


def _pixel_sha256(request: ImageRequest, mosaic: Mosaic) -> str:
    """As `generation.imageio.pixel_sha256`. Raises RenderError for one flat colour."""
    found = hashlib.sha256(f"RGB {mosaic.across.size}x{mosaic.down.size}\n".encode())
    first, flat = None, True
    for row in mosaic.rows():
        first = row[0] if first is None else first
        flat = flat and bool((row == first).all())
        found.update(row.tobytes())
    if flat:
        raise RenderError(f"seed {request.seed}, prompt {request.prompt!r}: the image is one flat colour")
    return found.hexdigest()


def _blocks(start: int, length: int) -> range:
    return range(start // BLOCK, (start + length - 1) // BLOCK + 1)
