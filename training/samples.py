"""A run's checkpoints side by side: the same prompts and seeds by each, as one picture (docs/run-report.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from generation.checkpoint import INFO_FILE, file_sha256
from generation.errors import CheckpointError
from generation.files import whole, write_bytes, write_json
from generation.imageio import archive_png
from generation.loading import Origin
from generation.lora_file import LoraRef
from generation.recipe import ImageRequest
from generation.renderer import Renderer
from training.captions import prompt_text
from training.data import choose_posts
from training.errors import UserError
from training.launch import read_launch
from training.leco_launch import is_leco, read_leco
from training.measure import name_prompt
from training.run_files import ASKED, LAUNCH, LECO, checkpoints_in, loras_in

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


@dataclass(frozen=True)
class Sampled:
    """A row of the grid: its name, what is rendered, and what its weights hash to."""

    name: str
    origin: Origin
    sha256: str


def default_prompts(place: Path) -> tuple[str, ...]:
    """Names of the first characters of a run's data, or its first posts' tags; of a run that teaches a concept, its
    prompts; plain tags for a lone checkpoint.
    """
    if is_leco(place):
        taught, config = read_leco(place)
        told = (config.concept, config.positive, config.neutral, *config.preserve, *taught.unrelated)
        return tuple(dict.fromkeys(filter(None, told)))[:COLUMNS]
    if not (place / LAUNCH).is_file():
        return PLAIN
    launch, preset = read_launch(place)
    posts = choose_posts(Path(launch.data), preset.posts)
    named = {post.character: name_prompt(post) for post in posts if post.character}
    return tuple(named.values())[:COLUMNS] or tuple(prompt_text(post) for post in posts[:COLUMNS])


def checkpoints_of(place: Path) -> list[Sampled]:
    """A run's base and its epochs in order, be they checkpoints or LoRAs; or the one checkpoint that ``place`` is.

    Raises:
        UserError: it is neither, or the base that LoRAs need is gone.
    """
    if (place / INFO_FILE).is_file():
        name = place.resolve().name
        return [_checkpoint(name if name.startswith("epoch-") else "base", place)]
    folders, loras = checkpoints_in(place), [*loras_in(place), *place.glob(LECO)]
    if not folders and not loras:
        raise UserError(
            f"{place} holds no checkpoint and no LoRA: name a run's folder after its first epoch, or a checkpoint's"
        )
    base = _base(place)
    there = base is not None and (base / INFO_FILE).is_file()
    if loras and not there:
        raise UserError(f"{place} holds LoRAs, and the checkpoint that they belong to is not at {base}: put it back")
    rows = [_checkpoint("base", base)] if base is not None and there else []
    rows += [_checkpoint(folder.name, folder) for folder in folders]
    return rows + [_with_lora(rows[0], file) for file in loras]


def _base(place: Path) -> Path | None:
    """What a run began with, where its folder says so."""
    if not (place / LAUNCH).is_file():
        return None
    return Path((read_leco if is_leco(place) else read_launch)(place)[0].base)


def _checkpoint(name: str, folder: Path) -> Sampled:
    return Sampled(name, Origin(folder), json.loads((folder / INFO_FILE).read_text("utf-8"))["sha256"])


def _with_lora(base: Sampled, file: Path) -> Sampled:
    return Sampled(file.stem, replace(base.origin, loras=(LoraRef(file),)), f"{base.sha256} {file_sha256(file)}")


def render_samples(
    place: Path, out: Path, asked: Asked, *, device: str = "cpu", said: Callable[[str, int, int], None]
) -> Path:
    """Render what is not there yet into ``out/<checkpoint>/N.png``, each with its manifest, and draw ``out/grid.png``.

    ``said`` gets the checkpoint's name, finished images and all images. Killed at any point, it goes on from there;
    other prompts or seeds than before begin anew.

    Raises:
        UserError: there is no checkpoint, or one cannot be loaded.
    """
    rows = checkpoints_of(place)
    done = _known(out, asked)
    requests = asked.requests()
    for row in rows:
        if done.get(row.name) != row.sha256:
            with whole(out / row.name) as partial:
                partial.mkdir(parents=True)
                for number, (image, manifest) in enumerate(_rendered(row.origin, requests, device), 1):
                    write_bytes(partial / f"{number}.png", archive_png(image, manifest))
                    said(row.name, number, len(requests))
            done[row.name] = row.sha256
            write_json(out / ASKED, {**asdict(asked), "checkpoints": done})
    grid(out, [row.name for row in rows], asked).save(out / GRID)
    return out / GRID


def _known(out: Path, asked: Asked) -> dict[str, str]:
    """Checkpoints whose images are there, by name, as the hashes of their weights."""
    path = out / ASKED
    there: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    same = (there.get("prompts"), there.get("seeds")) == (list(asked.prompts), list(asked.seeds))
    return dict(there["checkpoints"]) if same else {}


def _rendered(
    origin: Origin, requests: Sequence[ImageRequest], device: str
) -> Iterator[tuple[Image.Image, dict[str, Any]]]:
    try:
        renderer = Renderer(origin, device=device)
    except CheckpointError as error:
        raise UserError(f"cannot render: {error}") from error
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
