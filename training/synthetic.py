"""Repair sets: posts rendered by a checkpoint, added to a prepared set until a tag has its share (docs/synthetic.md).

Section 3.1.1 of the paper: "we expanded the dataset by including synthetic dataset based on generated images and
captions" to mend what the real posts show too rarely.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from generation.canonical import canonical_sha256
from generation.checkpoint import CheckpointInfo
from generation.files import whole, write_bytes, write_json
from generation.imageio import archive_png, read_archive
from generation.recipe import ImageRequest
from generation.tags import person_rank
from training.captions import prompt_text
from training.census import Census, tags_of_parts
from training.errors import UserError
from training.folder import MANIFEST, read_manifest
from training.posts import Post, to_record
from training.rng import Draws
from training.shards import ShardWriter
from training.sources import each_post, reported
from training.vocabulary import FILE, read_vocabulary, write_vocabulary

PROVENANCE = "synthetic.json"
MOST_TAGS = 24  # general tags of a prompt; a prompt holds a thousand characters
# (request, file name) pairs to (file name, PNG with its manifest), in order; `training.synthetic_cli` renders for real.
Render = Callable[[Sequence[ImageRequest]], Iterator[tuple[Any, Mapping[str, Any]]]]


@dataclass(frozen=True)
class Repair:
    """What is to be corrected: posts with all of ``tags`` are to be ``share`` of the set.

    ``replaced`` turns tags of real posts into others before they serve as templates: (("1girl", "1boy"),) makes boys'
    prompts out of girls' posts where boys are too few. ``most`` bounds how many are rendered.

    Raises:
        ValueError: a value outside its range.
    """

    tags: tuple[str, ...]
    share: float
    replaced: tuple[tuple[str, str], ...] = ()
    most: int = 1_000
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.tags or not 0 < self.share < 1 or self.most < 1:
            raise ValueError("a repair needs at least one tag, a share between 0 and 1 and most of at least 1")


def needed(having: int, posts: int, share: float) -> int:
    """How many further posts bring ``having`` of ``posts`` to ``share``: (having + x) / (posts + x) = share."""
    return max(0, math.ceil((share * posts - having) / (1 - share) - 1e-9))


def templates(posts: Iterable[Post], repair: Repair) -> Iterator[Post]:
    """Posts whose tags, after replacing, hold all of the repair's; without names, since these would be learned, too."""
    swap = dict(repair.replaced)
    for post in posts:
        general = tuple(dict.fromkeys(swap.get(tag, tag) for tag in post.general))
        if not post.character and not post.synthetic and set(repair.tags) <= set(general):
            yield replace(post, general=general, artist=(), meta=())


@dataclass(frozen=True)
class Survey:
    """A set as a repair sees it: its posts, how many have the repair's tags, how many are templates, the largest id."""

    posts: int
    having: int
    templates: int
    last: int

    def share(self, more: int = 0) -> float:
        """The share that has the tags, with so many further posts that do."""
        return (self.having + more) / max(1, self.posts + more)


def survey(posts: Iterable[Post], repair: Repair) -> Survey:
    """One pass over the posts; none is kept."""
    count = having = found = last = 0
    for post in posts:
        count += 1
        having += set(repair.tags) <= set(post.tags)
        found += sum(1 for _ in templates([post], repair))
        last = max(last, post.id)
    return Survey(count, having, found, last)


def planned(posts: Iterable[Post], repair: Repair, found: Survey) -> list[Post]:
    """The posts to render, without images: each the tags of one template, drawn by its number.

    Another pass over the posts that ``found`` was made of; only the templates that were drawn are kept.

    Raises:
        UserError: no post can serve as a template.
    """
    count = min(repair.most, needed(found.having, found.posts, repair.share))
    if count and not found.templates:
        raise UserError(
            f"no post without a name has {', '.join(repair.tags)}: "
            "say with --replace OLD=NEW which tags of others to turn"
        )
    draws = [Draws("synthetic", repair.seed, found.last + number) for number in range(1, count + 1)]
    places = [int(one.uniform("template") * found.templates) for one in draws]
    drawn = set(places)
    chosen = {place: post for place, post in enumerate(templates(posts, repair)) if place in drawn}
    return [
        _post(found.last + number, chosen[place], one, repair)
        for number, (place, one) in enumerate(zip(places, draws, strict=True), 1)
    ]


def _post(post_id: int, template: Post, draws: Draws, repair: Repair) -> Post:
    kept = {tag for tag in template.general if person_rank(tag) >= 0 or tag in repair.tags}
    others = sorted(set(template.general) - kept)
    kept |= {others[place] for place in draws.order("tags", len(others))[: MOST_TAGS - len(kept)]}
    return Post(
        id=post_id, created_at=None, score=None, fav_count=0, rating=template.rating, image_width=1, image_height=1,
        file_ext="png", md5="", file_path="", source=f"rendered after post {template.id}", general=tuple(sorted(kept)),
        character=(), copyright=(), artist=(), meta=(), synthetic=True,
    )  # fmt: skip


def add_synthetic(folder: Path, repair: Repair, info: CheckpointInfo, render: Render, command: str) -> dict[str, Any]:
    """Render and add a part to the prepared set in ``folder``; returns what was written of it.

    The part is there whole or not at all. Images already rendered by an interrupted run are used again. The same repair
    with the same checkpoint is made once.

    Raises:
        UserError: the folder is no prepared set, nothing can serve as a template, or the disk refuses.
    """
    manifest = read_manifest(folder)
    if "prepare" not in manifest:
        raise UserError(f"{folder} is not prepared: run `python -m training prepare {folder} --out DIR` first")
    values = {"repair": asdict(repair), "checkpoint": info.sha256, "recipe": info.recipe.to_dict()}
    settings = json.loads(json.dumps(values))  # as it is read back
    identity = canonical_sha256(settings)
    done = next((one for one in _entries(folder) if one["identity"] == identity), None)
    if done is not None:
        if done not in manifest.get("synthetic", []):  # killed between the part and the manifest
            _extend(folder, manifest, done)
        return done
    found = survey(each_post(folder), repair)
    wanted = planned(each_post(folder), repair, found)
    number = len(list((folder / "parts").glob("[0-9]*[0-9]")))
    entry = {
        "identity": identity,
        **settings,
        "part": f"parts/{number:05d}",
        "posts": len(wanted),
        "share_before": found.share(),
        "share_after": found.share(len(wanted)),
        "licence": info.licence,
        "attribution": info.attribution,
        "command": command,
    }
    if wanted:
        try:
            _write_part(folder / "parts" / f"{number:05d}", folder / f"{identity[:12]}.images", wanted, render, entry)
            _extend(folder, manifest, entry)
        except OSError as error:
            raise UserError(
                f"cannot write {folder}: {error}; free some space and run the same command again"
            ) from error
    return entry


def _entries(folder: Path) -> Iterator[dict[str, Any]]:
    """What the synthetic parts of the set say of themselves."""
    return (json.loads(file.read_text("utf-8")) for file in sorted(folder.glob(f"parts/*/{PROVENANCE}")))


def _write_part(part: Path, images: Path, wanted: Sequence[Post], render: Render, entry: Mapping[str, Any]) -> None:
    images.mkdir(exist_ok=True)
    missing = [post for post in wanted if not (images / f"{post.id}.png").exists()]
    requests = [ImageRequest(prompt_text(post), post.id) for post in missing]
    for post, (image, manifest) in zip(missing, render(requests), strict=True):
        write_bytes(images / f"{post.id}.png", archive_png(image, manifest))
    with whole(part) as partial:
        partial.mkdir()
        _fill(partial, part.name, images, wanted)
        write_json(partial / PROVENANCE, entry)
    shutil.rmtree(images)


def _fill(folder: Path, name: str, images: Path, wanted: Sequence[Post]) -> None:
    """The files that every part of a prepared set has."""
    shards, census, pictures = ShardWriter(folder, f"parts/{name}", 2**30), Census(), hashlib.sha256()
    lines = []
    for post in wanted:
        data = (images / f"{post.id}.png").read_bytes()
        size = read_archive(data)[0].size
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        placed = shards.add(replace(post, image_width=size[0], image_height=size[1], md5=md5), data)
        census.add(placed)
        pictures.update(data)
        lines.append(json.dumps(to_record(placed), ensure_ascii=False) + "\n")
    shards.close()
    text = "".join(lines).encode()
    (folder / "posts.jsonl").write_bytes(text)
    for empty in ("removed", "problems"):
        (folder / f"{empty}.jsonl").touch()
    counts = {
        "before": Census().to_mapping(), "after": census.to_mapping(), "reasons": {}, "repairs": {}, "ambiguous": {},
        "resized": 0, "posts_sha256": hashlib.sha256(text).hexdigest(), "images_sha256": pictures.hexdigest(),
    }  # fmt: skip
    (folder / "counts.json").write_text(json.dumps(counts, ensure_ascii=False), "utf-8")


def _extend(folder: Path, manifest: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
    """The set's manifest with the part in it; its hashes grow by those of the part."""
    counts = json.loads((folder / str(entry["part"]) / "counts.json").read_text("utf-8"))
    hashes = {
        name: hashlib.sha256(f"{manifest[name]}{counts[name]}".encode()).hexdigest()
        for name in ("posts_sha256", "images_sha256")
    }
    values = {
        **manifest,
        **hashes,
        "posts": manifest["posts"] + entry["posts"],
        "parts": manifest["parts"] + 1,
        "synthetic": [*manifest.get("synthetic", []), dict(entry)],
    }
    write_vocabulary(folder / FILE, tags_of_parts(folder, read_vocabulary(folder / FILE, reported)))
    write_json(folder / MANIFEST, values)
