"""Images of a closed system as a contestant: a folder of pictures, and a table of their prompts and seeds.

Everything is looked at before anything is written, and either all of it becomes rows or nothing. docs/imported.md.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from PIL import Image, ImageOps

from arena.gallery.models import Checkpoint, Contestant, Prompt, Run, Sample
from arena.gallery.rendering import delete_file, write_file
from generation.canonical import canonical_sha256
from generation.imageio import archive_png, blind_png, pixel_sha256
from generation.provenance import IMPORTED, SCHEMA

COLUMNS = ("prompt", "seed", "file")
FORMATS = ("PNG", "JPEG", "WEBP")
LEAST_SIDE, MOST_SIDE = 16, 8192
Progress = Callable[[int, int], None]


class TableError(Exception):
    """What is wrong with a table or its pictures; ``problems`` holds a sentence a line."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class Identity:
    """Whose images they are."""

    name: str
    licence: str = ""
    attribution: str = ""

    @property
    def sha256(self) -> str:
        """Stands where a checkpoint has the hash of its content: there is no content but the name."""
        return hashlib.sha256(f"imported {self.name}".encode()).hexdigest()


@dataclass(frozen=True)
class Line:
    """One line of the table, its picture decoded once: ``size`` (width, height) and the hash of its pixels."""

    number: int
    prompt: Prompt
    seed: int
    path: Path
    size: tuple[int, int]
    pixels: str


def import_images(
    folder: Path, table: Path, identity: Identity, *, progress: Progress | None = None
) -> tuple[Contestant, int]:
    """Make the pictures of a folder the samples of a contestant that cannot be rendered again.

    The same again adds nothing; more lines add their images to the contestant of that name.

    Args:
        table: CSV with the columns `COLUMNS`: a prompt of the arena by its text or number, a seed of its prompt set,
            and the picture's path in the folder.
        progress: called as progress(done, total) with pictures, first looked at, then written.

    Returns:
        The contestant, and how many images were added.

    Raises TableError naming every line that cannot be taken, and then nothing is changed.
    """
    lines = read_table(folder, table, progress)
    sizes = {line.size for line in lines}
    with transaction.atomic():
        contestant = _contestant(identity, *sizes.pop())
        known = {
            (prompt, seed): pixels
            for prompt, seed, pixels in contestant.samples.values_list("prompt_id", "seed", "pixel_sha256")
        }
        other = [line for line in lines if known.get((line.prompt.pk, line.seed), line.pixels) != line.pixels]
        if other:
            raise TableError(
                f"{table}:{line.number}: prompt {line.prompt.pk}, seed {line.seed} of {identity.name!r} was imported "
                "with other pixels; choose another name"
                for line in other
            )
        new = [line for line in lines if (line.prompt.pk, line.seed) not in known]
        _write(contestant, identity, folder, new, progress)
    return contestant, len(new)


def read_table(folder: Path, table: Path, progress: Progress | None = None) -> list[Line]:
    """Every line with its prompt found and its picture decoded. Raises TableError naming all lines that are wrong."""
    rows = _rows(table)
    problems: list[str] = []
    lines: list[Line] = []
    taken: dict[tuple[int, int], int] = {}
    for done, (number, row) in enumerate(rows, 1):
        try:
            line = _line(folder, number, row, lines)
            earlier = taken.setdefault((line.prompt.pk, line.seed), number)
            if earlier != number:
                raise ValueError(f"prompt {line.prompt.pk} with seed {line.seed} stands in line {earlier} already")
            lines.append(line)
        except ValueError as error:
            problems.append(f"{table}:{number}: {error}")
        if progress:
            progress(done, 2 * len(rows))
    if problems:
        raise TableError(problems)
    return lines


def _rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="", strict=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise TableError([f"{table}:1: column {missing[0]!r} is missing; the columns are {', '.join(COLUMNS)}"])
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError([f"{table} cannot be read as CSV in UTF-8: {error}"]) from error
    if not rows:
        raise TableError([f"{table} has no line below its columns"])
    return rows


def _line(folder: Path, number: int, row: dict[str, str], before: list[Line]) -> Line:
    prompt = _prompt(row["prompt"].strip())
    seed = _seed(row["seed"].strip(), prompt)
    path = folder / row["file"].strip()
    if not row["file"].strip() or not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        raise ValueError(f"there is no file {row['file']!r} in {folder}")
    image = open_picture(path)
    if before and image.size != before[0].size:
        here, there = (f"{width}x{height}" for width, height in (image.size, before[0].size))
        raise ValueError(f"{row['file']} is {here}, line {before[0].number} is {there}: one contestant has one size")
    return Line(number, prompt, seed, path, image.size, pixel_sha256(image))


def _prompt(text: str) -> Prompt:
    own = Prompt.objects.filter(origin=Prompt.Origin.SET).select_related("prompt_set")
    found = list(own.filter(pk=int(text)) if text.isdecimal() and len(text) < 19 else own.filter(text=text)[:2])
    if not found:
        raise ValueError(f"no prompt set has the prompt {text!r}")
    if len(found) > 1:
        raise ValueError(f"several prompt sets have the prompt {text!r}; give its number, such as {found[0].pk}")
    return found[0]


def _seed(text: str, prompt: Prompt) -> int:
    seeds = prompt.prompt_set.seeds
    if not text.isdecimal() or int(text) not in seeds:
        raise ValueError(f"seed {text!r} is none of the prompt set's: {', '.join(map(str, seeds))}")
    return int(text)


def open_picture(path: Path) -> Image.Image:
    """The picture upright and in RGB, transparent places white. Raises ValueError for one that nobody could judge."""
    try:
        with Image.open(path, formats=FORMATS) as file:
            file.load()
            upright = ImageOps.exif_transpose(file).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path.name} is no readable {', '.join(FORMATS)} picture ({error})") from error
    image = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB")
    if not LEAST_SIDE <= min(image.size) <= max(image.size) <= MOST_SIDE:
        raise ValueError(f"{path.name} is {image.width}x{image.height}; sides are {LEAST_SIDE} to {MOST_SIDE} pixels")
    if all(low == high for low, high in image.getextrema()):
        raise ValueError(f"{path.name} is one flat colour")
    return image


def _contestant(identity: Identity, width: int, height: int) -> Contestant:
    """The contestant of that name, its run's row locked; made where it is new. Raises TableError for a name in use."""
    made, _ = Run.objects.get_or_create(name=identity.name)
    run = Run.objects.select_for_update(no_key=True).get(pk=made.pk)
    if run.checkpoints.filter(imported=False).exists() or run.total_steps:
        raise TableError([f"{identity.name!r} is a training run; choose another name"])
    told = {"name": identity.name, "imported": True, "reproducible": False}
    fields = {"licence": identity.licence, "attribution": identity.attribution, "imported": True, "manifest": told}
    checkpoint, _ = Checkpoint.objects.get_or_create(
        sha256=identity.sha256, defaults={"run": run, "name": identity.name, "folder": "", **fields}
    )
    recipe = {"imported": True, "width": width, "height": height}
    contestant = checkpoint.contestants.first()
    if contestant is None:
        return Contestant.objects.create(checkpoint=checkpoint, recipe=recipe, recipe_sha256=canonical_sha256(recipe))
    if contestant.recipe != recipe:
        earlier = f"{contestant.recipe['width']}x{contestant.recipe['height']}"
        raise TableError([f"the images of {identity.name!r} are {earlier}, these are {width}x{height}"])
    return contestant


def _write(
    contestant: Contestant, identity: Identity, folder: Path, lines: list[Line], progress: Progress | None
) -> None:
    written: list[Any] = []
    try:
        for done, line in enumerate(lines, 1):
            image = open_picture(line.path)
            manifest = {
                "schema": SCHEMA,
                "mode": IMPORTED,
                "reproducible": False,
                "checkpoint": {"sha256": identity.sha256, "name": identity.name},
                "prompt": line.prompt.text,
                "seed": line.seed,
                "source": {
                    "file": line.path.relative_to(folder).as_posix(),
                    "sha256": hashlib.sha256(line.path.read_bytes()).hexdigest(),
                },
                "pixel_sha256": line.pixels,
            }
            sample = Sample(
                contestant=contestant,
                prompt=line.prompt,
                seed=line.seed,
                manifest=manifest,
                pixel_sha256=line.pixels,
            )
            for file, content in (
                (sample.archive, archive_png(image, manifest)),
                (sample.blind, blind_png(image, scale=settings.ARENA_BLIND_SCALE)),
            ):
                written.append(file)
                write_file(file, content)
            sample.save()
            if progress:
                progress(len(lines) + done, 2 * len(lines))
    except BaseException:
        for file in written:
            delete_file(file)
        raise
