"""Writes a data set's folder: a folder is all or nothing."""

import hashlib
import json
import multiprocessing
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from generation.files import whole, write_json
from training.dataset.characters import CHARACTERS
from training.dataset.plan import Plan, image_path, make_post
from training.dataset.render import SIZE, licence
from training.errors import UserError

SCHEMA = 1
PACKAGES = ("dicebear-core", "dicebear-styles", "resvg-py", "pillow")
REFERENCES = 8
CHUNK = 50


def settings(plan: Plan) -> dict[str, Any]:
    """What decides the data set's bytes: two equal settings make equal folders."""
    return {
        "schema": SCHEMA,
        "seed": plan.seed,
        "images": plan.images,
        "named_per_character": plan.named,
        "size": SIZE,
        "packages": {name: version(name) for name in PACKAGES},
    }


def characters(plan: Plan) -> list[dict[str, Any]]:
    """The rows of ``characters.json``: name, identity tags, up to ``REFERENCES`` reference pictures."""
    rows = []
    for index, (name, identity) in enumerate(CHARACTERS.items()):
        first = plan.images + index * plan.named + 1
        ids = range(first, first + min(REFERENCES, plan.named))
        rows.append({"name": name, "tags": list(identity.tags()), "references": [image_path(i) for i in ids]})
    return rows


def write_dataset(out: Path, plan: Plan, *, command: str, workers: int = 2) -> bool:
    """Write the data set to ``out``; False when it already stands there whole and unchanged.

    Raises:
        UserError: ``out`` holds something else, or a data set made with other settings or damaged since, or the
            disk refuses.
    """
    if out.exists():
        _check_existing(out, plan)
        return False
    try:
        _build(out, plan, command, workers)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error}; free some space or choose another --out") from error
    return True


def _build(out: Path, plan: Plan, command: str, workers: int) -> None:
    with whole(out) as building:
        building.mkdir(parents=True)
        hashes = _write_posts(building, plan, workers)
        write_json(building / "characters.json", characters(plan))
        write_json(building / "dataset.json", _manifest(plan, hashes, command))


def _posts(plan: Plan, workers: int) -> Iterator[tuple[dict[str, object], bytes]]:
    """All posts in the order of their ids, whatever the number of worker processes."""
    make, ids = partial(make_post, plan), range(1, len(plan) + 1)
    if workers <= 1:
        yield from map(make, ids)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(make, ids, chunksize=CHUNK)


def _write_posts(folder: Path, plan: Plan, workers: int) -> dict[str, str]:
    """Write pictures and ``posts.jsonl``; returns the sha256 of the file and of all pictures in order."""
    images, lines = hashlib.sha256(), hashlib.sha256()
    columns = (TextColumn("rendering posts"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (folder / "posts.jsonl").open("wb") as file, Progress(*columns) as progress:
        for record, png in progress.track(_posts(plan, workers), total=len(plan)):
            line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
            path = folder / str(record["file_path"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png)
            file.write(line)
            lines.update(line)
            images.update(png)
    return {"posts_sha256": lines.hexdigest(), "images_sha256": images.hexdigest()}


def _manifest(plan: Plan, hashes: dict[str, str], command: str) -> dict[str, Any]:
    return {
        **settings(plan),
        "posts": len(plan),
        "characters": len(CHARACTERS),
        **hashes,
        "styles": [licence()],
        "synthetic_fields": ["created_at", "score", "fav_count"],
        "note": "Pictures are composed by program from the style's parts. Dates, scores and favourites are "
        "synthetic: no person gave them.",
        "command": command,
    }


def _check_existing(out: Path, plan: Plan) -> None:
    manifest = out / "dataset.json"
    if not manifest.is_file():
        raise UserError(f"{out} exists and is not a data set: choose another --out")
    try:
        found = json.loads(manifest.read_text("utf-8"))
    except ValueError as error:
        raise UserError(f"{manifest} cannot be read ({error}): remove {out} and run the command again") from error
    differing = [
        f"{key}: {found.get(key)} there, {value} asked"
        for key, value in settings(plan).items()
        if found.get(key) != value
    ]
    if differing:
        raise UserError(
            f"{out} holds a data set with other settings ({'; '.join(differing)}): remove it or choose another --out"
        )
    if not _intact(out, found):
        raise UserError(f"{out} differs from its manifest: remove it and run the command again")


def _intact(folder: Path, manifest: dict[str, Any]) -> bool:
    """Whether the posts, and the pictures in their order, still hash as the manifest says."""
    posts = folder / "posts.jsonl"
    text = posts.read_bytes() if posts.is_file() else b""
    if hashlib.sha256(text).hexdigest() != manifest["posts_sha256"]:
        return False
    images = hashlib.sha256()
    for line in text.splitlines():
        path = folder / json.loads(line)["file_path"]
        images.update(path.read_bytes() if path.is_file() else b"missing")
    return images.hexdigest() == manifest["images_sha256"]
