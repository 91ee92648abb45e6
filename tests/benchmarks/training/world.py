"""Made-up posts in any number, with Danbooru's fields and about its frequencies of sizes, years and tags."""

import csv
import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from generation.tags import person_rank

USED = Path(__file__).parents[2] / "data" / "danbooru_tags_used.csv"
FIRST, LAST = datetime.datetime(2006, 1, 1, tzinfo=datetime.UTC), datetime.datetime(2025, 12, 31, tzinfo=datetime.UTC)
SHAPES = ((1000, 1414), (1200, 1200), (1920, 1080), (2480, 3508), (850, 1200), (4000, 3000), (1280, 720), (600, 800))
BLOCK = 10_000


def tag_list(path: Path = USED) -> dict[str, list[str]]:
    """Tags by category, most used first; made-up ones follow where the list is short."""
    names: dict[str, list[str]] = {"0": [], "3": [], "4": []}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if person_rank(row["name"]) < 0:
                names.setdefault(row["category"], []).append(row["name"])
    return {
        "general": [*names["0"], *(f"thing_{number:04d}" for number in range(len(names["0"]), 9_000))],
        "character": [*names["4"], *(f"somebody_{number:04d}" for number in range(len(names["4"]), 6_000))],
        "copyright": [*names["3"], *(f"series_{number:03d}" for number in range(len(names["3"]), 1_500))],
        "artist": [f"artist_{number:05d}" for number in range(50_000)],
    }


def records(count: int, seed: int = 0, tags: Path = USED) -> Iterator[dict[str, Any]]:
    """``count`` posts with rising ids and times; one in three hundred has a fault."""
    lists = {name: np.array(values) for name, values in tag_list(tags).items()}
    for first in range(0, count, BLOCK):
        yield from _block(first, min(BLOCK, count - first), count, seed, lists)


def _block(first: int, size: int, count: int, seed: int, lists: dict[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng([seed, first])
    when = np.sort((first + rng.random(size) * size) / count) ** 0.6  # more posts every year
    span = (LAST - FIRST).total_seconds()
    shapes = np.array(SHAPES)[rng.integers(0, len(SHAPES), size)] * rng.lognormal(0, 0.3, (size, 1))
    shapes[rng.random(size) < 0.3] = shapes[rng.random(size) < 0.3][:1]
    ratings = rng.choice(list("gsqe"), size, p=[0.5, 0.3, 0.12, 0.08])
    scores = np.exp(rng.normal(1.5 + 2 * when + 0.5 * (ratings != "g"), 1.0)).astype(int)
    lengths = rng.integers(6, 62, size)
    persons = rng.choice(["1girl", "1boy", "2girls", "1boy 1girl", "multiple_girls", "no_humans"], size,
                         p=[0.62, 0.1, 0.1, 0.08, 0.06, 0.04])  # fmt: skip
    for row in range(size):
        number = first + row + 1
        general = lists["general"][(len(lists["general"]) * rng.random(lengths[row]) ** 5).astype(int)]
        width, height = (max(64, int(side)) for side in shapes[row])
        record = {
            "id": number,
            "created_at": (FIRST + datetime.timedelta(seconds=span * when[row])).isoformat(timespec="milliseconds"),
            "score": int(scores[row]),
            "fav_count": int(scores[row] * 0.8),
            "rating": str(ratings[row]),
            "image_width": width,
            "image_height": height,
            "file_ext": "jpg",
            "md5": f"{number * 2654435761 % 2**64:016x}{number:016x}",
            "source": "",
            "tag_string_general": " ".join(dict.fromkeys([*persons[row].split(), *general.tolist()])),
            "tag_string_character": _some(rng, lists["character"], 0.6),
            "tag_string_copyright": _some(rng, lists["copyright"], 0.7),
            "tag_string_artist": _some(rng, lists["artist"], 0.9),
            "tag_string_meta": "highres" if width * height > 2e6 else "",
        }
        yield _faulty(record, number) if number % 300 == 0 else record


def _some(rng: np.random.Generator, names: np.ndarray, share: float) -> str:
    return str(names[int(len(names) * rng.random() ** 4)]) if rng.random() < share else ""


def _faulty(record: dict[str, Any], number: int) -> dict[str, Any]:
    """Faults in turn: no date, no score, the id before, an unknown rating, too small, too elongated."""
    fault = number // 300 % 6
    changes: tuple[dict[str, Any], ...] = (
        {"created_at": None},
        {"score": None},
        {"id": number - 1},
        {"rating": "x"},
        {"image_width": 400, "image_height": 300},
        {"image_width": 700, "image_height": 9000},
    )
    return record | changes[fault]


def write_lines(path: Path, count: int, tags: Path = USED) -> None:
    """The posts as JSON lines."""
    with path.open("w") as file:
        file.writelines(f"{json.dumps(record)}\n" for record in records(count, tags=tags))
