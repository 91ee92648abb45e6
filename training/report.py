"""What a prepared set holds and what was left out, as numbers (docs/dataset-report.md)."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from training.buckets import BucketConfig, assign
from training.census import Census, part_counts, part_lines
from training.config import from_mapping, to_mapping
from training.errors import UserError
from training.folder import read_manifest
from training.prepare_config import PrepareConfig
from training.prepare_part import MEANINGS
from training.prune import MEGAPIXEL
from training.report_captions import Asked, captions_of
from training.sources import each_post, reported
from training.vocabulary import FILE, Vocabulary, read_vocabulary

NAMED = 1_000  # removed posts, problems and left-out pictures that are listed one by one
TOP = 40
AREA_EDGES = (0.0, 0.15, 0.5625, 1.0, 2.25, 4.0, 9.0, 40.0, math.inf)  # 0.5625: 768 x 768
LOST_EDGES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 1.0)


def gather(asked: Asked) -> dict[str, Any]:
    """The whole report as plain JSON values.

    Raises:
        UserError: the folder is no whole prepared set.
    """
    manifest = read_manifest(asked.folder)
    if "prepare" not in manifest:
        raise UserError(
            f"{asked.folder} is not prepared: run `python -m training prepare {asked.folder} --out DIR` first"
        )
    config = from_mapping(PrepareConfig, manifest["prepare"], f"{asked.folder}/dataset.json")
    counts = _counts(asked.folder)
    before, after, kinds = counts["before"], counts["after"], _problem_kinds(asked.folder)
    vocabulary = read_vocabulary(asked.folder / FILE, reported)
    return {
        "set": str(asked.folder.resolve()),
        "manifest": {name: manifest[name] for name in ("source", "posts", "removed", "parts", "command")}
        | {"prepare": to_mapping(config)},  # with what settings came later
        "synthetic_fields": manifest.get("synthetic_fields", []),
        "synthetic_posts": after.synthetic,
        "reasons": dict(counts["reasons"].most_common()),
        "duplicates": {
            "ids": counts["reasons"]["duplicate id"],
            "files": counts["reasons"]["duplicate file"] + kinds["has the same file"],
        },
        "removed": _listed(asked.folder, "removed"),
        "problems": _listed(asked.folder, "problems", {"kept": True}),
        "problem_kinds": dict(kinds.most_common(TOP)),
        "resized": counts["resized"],
        "repairs": dict(counts["repairs"].most_common(TOP)),
        "shares": {name: _shares(getattr(before, name), getattr(after, name)) for name in
                   ("ratings", "years", "qualities", "persons")}
        | {"megapixels": areas_of(before.sizes, after.sizes)},
        "top_tags": _top_tags(before, after),
        "never_seen": _never_seen(before, after, vocabulary),
        "ambiguous": _ambiguous(asked.folder, counts["ambiguous"]),
        "buckets": _buckets(after.sizes, config.buckets),
        "left_out_of_buckets": _left_out(asked.folder, after.sizes, config.buckets),
        "captions": captions_of(asked),
    }  # fmt: skip


def _counts(folder: Path) -> dict[str, Any]:
    total: dict[str, Any] = {
        "before": Census(),
        "after": Census(),
        "reasons": Counter(),
        "repairs": Counter(),
        "ambiguous": {},
        "resized": 0,
    }
    for part in part_counts(folder):
        for name in ("before", "after"):
            total[name].merge(part[name])
        for name in ("reasons", "repairs"):
            total[name].update(part[name])
        for tag, numbers in part["ambiguous"].items():
            total["ambiguous"].setdefault(tag, Counter()).update(numbers)
        total["resized"] += part["resized"]
    return total


def _listed(folder: Path, name: str, only: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The first of them by name; all stand in the parts' files."""
    wanted = (
        line for line in part_lines(folder, name) if all(line[key] == value for key, value in (only or {}).items())
    )
    return list(islice(wanted, NAMED))


def _problem_kinds(folder: Path) -> Counter[str]:
    """Problems by their words, without the values that differ from post to post."""
    kinds: Counter[str] = Counter()
    for line in part_lines(folder, "problems"):
        kinds[line["problem"].split(":")[0].split(", found")[0].split(", md5")[0]] += 1
    for title, name in (("rows of the vocabulary", "vocabulary"), ("records of further texts", "texts")):
        file = folder / f"{name}-problems.jsonl"
        kinds[title] += len(file.read_text("utf-8").splitlines()) if file.is_file() else 0
    return +kinds


def _shares(before: Counter[str], after: Counter[str]) -> dict[str, dict[str, float]]:
    """Posts and share of each value, before and after."""
    total = max(1, before.total()), max(1, after.total())
    return {
        key: {"before": before[key], "after": after[key],
              "share_before": before[key] / total[0], "share_after": after[key] / total[1]}
        for key in sorted(before | after)
    }  # fmt: skip


def areas_of(before: Counter[str], after: Counter[str]) -> dict[str, dict[str, int]]:
    """Pictures before and after by area, in the paper's megapixels; from the smallest on."""
    counts = [_histogram(_sizes(sizes), AREA_EDGES) for sizes in (before, after)]
    names = [*(f"to {round(edge, 2):g}" for edge in AREA_EDGES[1:-1]), f"over {AREA_EDGES[-2]:g}"]
    return {name: {"before": old, "after": new} for name, old, new in zip(names, *counts, strict=True)}


def _histogram(sizes: tuple[np.ndarray, np.ndarray, np.ndarray], edges: Sequence[float]) -> list[int]:
    """How many pictures have an area above one edge and up to the next."""
    widths, heights, counts = sizes
    places = np.searchsorted(edges[1:-1], widths * heights / MEGAPIXEL, side="left")
    return np.bincount(places, counts, len(edges) - 1).astype(int).tolist()


def _top_tags(before: Census, after: Census) -> list[dict[str, Any]]:
    old, new = before.tags(), after.tags()
    return [
        {"tag": tag, "before": count, "after": new[tag],
         "share_before": count / max(1, before.posts), "share_after": new[tag] / max(1, after.posts)}
        for tag, count in old.most_common(TOP)
    ]  # fmt: skip


def _never_seen(before: Census, after: Census, vocabulary: Vocabulary) -> dict[str, Any]:
    """Tags that no post of the set has: lost on the way, or of the vocabulary and in no post at all."""
    old, new = before.tags(), after.tags()
    lost = sorted((tag for tag in old if not new[tag]), key=lambda tag: (-old[tag], tag))
    absent = sorted(set(vocabulary.categories) - set(old))
    return {"lost": len(lost), "lost_tags": lost[:NAMED], "absent": len(absent), "absent_tags": absent[:NAMED]}


def _ambiguous(folder: Path, found: dict[str, Counter[str]]) -> list[dict[str, Any]]:
    """Words of two meanings that this set's posts have, the most unfocused first."""
    words = json.loads((folder / MEANINGS).read_text("utf-8"))
    rows = [
        {"word": word, "tags": [{"tag": tag, **found[tag]} for tag in tags if tag in found],
         "unfocused": sum(found[tag]["unfocused"] for tag in tags if tag in found)}
        for word, tags in words.items() if any(tag in found for tag in tags)
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-row["unfocused"], row["word"]))[:NAMED]


def _sizes(sizes: Counter[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Widths, heights and how many pictures have them, each (distinct sizes,)."""
    pairs = np.array([tuple(map(int, size.split("x"))) for size in sizes], np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1], np.array(list(sizes.values()), np.int64)


def _buckets(sizes: Counter[str], config: BucketConfig) -> list[dict[str, Any]]:
    """Fill and loss of every set: pictures of each size, mean share cut off, a histogram of it."""
    widths, heights, counts = _sizes(sizes)
    rows = []
    for buckets in config.sets:
        found = assign(widths, heights, buckets)
        taken = found.bucket >= 0
        fill = np.bincount(found.bucket[taken], counts[taken], len(found.sizes)).astype(int)
        pictures = int(counts[taken].sum())
        rows.append({
            "megapixels": buckets.megapixels,
            "pictures": pictures,
            "share": pictures / max(1, int(counts.sum())),
            "mean_lost": float(np.average(found.lost[taken], weights=counts[taken])) if pictures else 0.0,
            "worst_lost": float(found.lost[taken].max(initial=0.0)),
            "enlarged": int(counts[taken & (found.scale > 1)].sum()),
            "lost_edges": list(LOST_EDGES),
            "lost": np.histogram(found.lost[taken], LOST_EDGES, weights=counts[taken])[0].astype(int).tolist(),
            "fill": [{"width": width, "height": height, "pictures": int(count)}
                     for (width, height), count in zip(found.sizes, fill, strict=True)],
        })  # fmt: skip
    return rows


def _left_out(folder: Path, sizes: Counter[str], config: BucketConfig) -> dict[str, Any]:
    """Pictures that no set takes, by name."""
    widths, heights, counts = _sizes(sizes)
    free = np.ones(len(counts), bool)
    for buckets in config.sets:
        free &= assign(widths, heights, buckets).bucket < 0
    without = {f"{width}x{height}" for width, height in zip(widths[free], heights[free], strict=True)}
    rows = ({"post": post.id, "file": post.file_path, "size": f"{post.image_width}x{post.image_height}"}
            for post in (each_post(folder) if without else ()))  # fmt: skip
    named = list(islice((row for row in rows if row["size"] in without), NAMED))
    return {"pictures": int(counts[free].sum()), "named": named}
