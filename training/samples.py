"""A run's checkpoints side by side: the same prompts and seeds by each, as one picture (docs/run-report.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from generation.checkpoint import INFO_FILE
from generation.files import whole, write_bytes, write_json
from generation.imageio import archive_png
from generation.recipe import ImageRequest
from generation.renderer import Renderer
from training.captions import prompt_text
from training.data import choose_posts
from training.errors import UserError
from training.launch import LAUNCH, read_launch
from training.measure import name_prompt
from training.run_files import ASKED

GRID = "grid.png"
COLUMNS = 6  # prompts that are chosen where none are given
PLAIN = (
    "1girl, solo, long hair, blue eyes, smile",
    "1boy, solo, short hair, black hair, closed mouth",
)
SEEDS = (1, 2)
LEFT, TOP, GAP, LEAST = 96, 44, 4, 128  # pixels of the grid: row labels, column labels, between images, an image's side


@dataclass(frozen=True)
class Asked:
    """What every checkpoint renders: each prompt with each seed."""

    prompts: tuple[str, ...]
    seeds: tuple[int, ...]

    def requests(self) -> list[ImageRequest]:
        """All of them, prompt by prompt."""
        return [ImageRequest(prompt, seed) for prompt, seed in product(self.prompts, self.seeds)]


def default_prompts(place: Path) -> tuple[str, ...]:
    """Names of the first characters of a run's data, or its first posts' tags; plain tags for a lone checkpoint."""
    if not (place / LAUNCH).is_file():
        return PLAIN
    launch, preset = read_launch(place)
    posts = choose_posts(Path(launch.data), preset.posts)
    named = {post.character: name_prompt(post) for post in posts if post.character}
    return tuple(named.values())[:COLUMNS] or tuple(prompt_text(post) for post in posts[:COLUMNS])


def checkpoints_of(place: Path) -> list[Path]:
    """A run's base and its epochs in order, or the one checkpoint that ``place`` is.

    Raises:
        UserError: it is neither.
    """
    if (place / INFO_FILE).is_file():
        return [place]
    epochs = sorted(file.parent for file in place.glob(f"epoch-*[0-9]/{INFO_FILE}"))
    if not epochs:
        raise UserError(f"{place} holds no checkpoint: name a run's folder after its first epoch, or a checkpoint's")
    base = [Path(read_launch(place)[0].base)] if (place / LAUNCH).is_file() else []
    return [folder for folder in base if folder.is_dir()] + epochs


def render_samples(
    place: Path, out: Path, asked: Asked, *, device: str = "cpu", said: Callable[[str, int, int], None]
) -> Path:
    """Render what is not there yet into ``out/<checkpoint>/N.png``, each with its manifest, and draw ``out/grid.png``.

    ``said`` gets the checkpoint's name, finished images and all images. Killed at any point, it goes on from there;
    other prompts or seeds than before begin anew.

    Raises:
        UserError: there is no checkpoint.
    """
    folders = checkpoints_of(place)
    names = [label(folder) for folder in folders]
    done = _known(out, asked)
    requests = asked.requests()
    for folder, name in zip(folders, names, strict=True):
        sha256 = json.loads((folder / INFO_FILE).read_text("utf-8"))["sha256"]
        if done.get(name) != sha256:
            with whole(out / name) as partial:
                partial.mkdir(parents=True)
                for number, (image, manifest) in enumerate(_rendered(folder, requests, device), 1):
                    write_bytes(partial / f"{number}.png", archive_png(image, manifest))
                    said(name, number, len(requests))
            done[name] = sha256
            write_json(out / ASKED, {**asdict(asked), "checkpoints": done})
    grid(out, names, asked).save(out / GRID)
    return out / GRID


def label(folder: Path) -> str:
    """A row's name: that of an epoch's folder, "base" for what the run began with."""
    return folder.name if folder.name.startswith("epoch-") else "base"


def _known(out: Path, asked: Asked) -> dict[str, str]:
    """Checkpoints whose images are there, by name, as the hashes of their weights."""
    path = out / ASKED
    there: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    same = (there.get("prompts"), there.get("seeds")) == (list(asked.prompts), list(asked.seeds))
    return dict(there["checkpoints"]) if same else {}


def _rendered(
    folder: Path, requests: Sequence[ImageRequest], device: str
) -> Iterator[tuple[Image.Image, dict[str, Any]]]:
    renderer = Renderer(folder, device=device)
    for rendered in renderer.render(renderer.info.recipe, requests):
        yield rendered.image, rendered.manifest


def grid(out: Path, names: Sequence[str], asked: Asked) -> Image.Image:
    """A row for each checkpoint, a column for each prompt and seed."""
    rows = [[_stored(out / name / f"{n}.png") for n in range(1, len(asked.requests()) + 1)] for name in names]
    width, height = rows[0][0].size
    scale = max(1, -(-LEAST // width))
    cell = (width * scale + GAP, height * scale + GAP)
    page = Image.new("RGB", (LEFT + cell[0] * len(rows[0]), TOP + cell[1] * len(rows)), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(12)
    for column, request in enumerate(asked.requests()):
        words = _fitting(request.prompt, font, cell[0] - 6)
        draw.multiline_text((LEFT + column * cell[0], 4), f"{words}\nseed {request.seed}", "black", font, spacing=3)
    for line, (name, images) in enumerate(zip(names, rows, strict=True)):
        draw.text(
            (8, TOP + line * cell[1] + cell[1] // 2 - 8), name.replace("-0", " ").replace("-", " "), "black", font
        )
        for column, image in enumerate(images):
            scaled = image.resize((width * scale, height * scale), Image.Resampling.LANCZOS)
            page.paste(scaled, (LEFT + column * cell[0], TOP + line * cell[1]))
    return page


def _stored(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _fitting(words: str, font: Any, width: int) -> str:
    """As much of the words as fits a column."""
    if font.getlength(words) <= width:
        return words
    while words and font.getlength(f"{words}…") > width:
        words = words[:-1]
    return f"{words}…"
