"""Second pass: one part of the prepared set, whole or not at all (docs/prepare.md)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from generation.files import whole
from training.census import Census
from training.errors import UserError
from training.posts import Post, to_record
from training.prune import Removal, Scorer, ScoreRule, by_score, by_size, by_tags, load_scorer
from training.repair import is_unfocused, persons, repaired
from training.resize import BadImage, ResizeConfig, image_size, prepare_image
from training.scan import SAME_FILE, SAME_ID, Job, quality_of
from training.shards import ShardWriter, read_member
from training.sources import parquet

MEANINGS = "meanings.json"
CHANGED = -1  # in place of a code that the scan gave no post
# What is wrong with a post that is left out; other reasons are rules that it does not meet.
FAULTS = frozenset({"unusable record", "duplicate id", "missing file", "unreadable"})


def write_part(job: Job, records: str) -> int:
    """Write ``parts/NNNNN`` of the prepared set, if it is not there yet; returns how many posts it was given.

    ``records``: ``jsonl`` or ``parquet``. Beside the posts stand ``removed.jsonl``, ``problems.jsonl`` and
    ``counts.json``.

    Raises:
        UserError: a problem, where the config says to stop; or a score that cannot be computed.
    """
    folder = job.out / "parts" / f"{job.number:05d}"
    if not folder.exists():
        with whole(folder) as partial:
            partial.mkdir(parents=True)
            _write_into(partial, job, records)
    given: int = json.loads((folder / "counts.json").read_text("utf-8"))["before"]["posts"]
    return given


def _write_into(folder: Path, job: Job, records: str) -> None:
    posts_file = folder / f"posts.{records}"
    with (
        (folder / "removed.jsonl").open("w", encoding="utf-8") as removed,
        (folder / "problems.jsonl").open("w", encoding="utf-8") as told,
    ):
        work = PartWork(job, folder, removed, told)
        _write_records(posts_file, work.posts())
    counts = work.counts() | {"posts_sha256": _sha256(posts_file), "images_sha256": work.image_hash.hexdigest()}
    (folder / "counts.json").write_text(json.dumps(counts, ensure_ascii=False), "utf-8")


def _write_records(file: Path, posts: Iterator[Post]) -> None:
    rows = map(to_record, posts)
    if file.suffix == ".parquet":
        parquet().write_rows(file, rows)
        return
    with file.open("w", encoding="utf-8") as stream:
        stream.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


class PartWork:
    """The posts of one part on their way through all rules, and what is counted on it."""

    def __init__(self, job: Job, folder: Path, removed: TextIO, problems: TextIO) -> None:
        self.job = job
        self.image_hash = hashlib.sha256()
        self._folder = folder
        self._removed, self._problems = removed, problems
        self._told: list[str] = []  # of the post on its way
        self._before, self._after = Census(), Census()
        self._reasons: Counter[str] = Counter()
        self._repairs: Counter[str] = Counter()
        self._ambiguous: dict[str, Counter[str]] = {}
        self._words = ambiguous_tags(job.out)
        self._resized = 0
        self._scorers = [(rule, _scorer(rule)) for rule in job.config.prune.scores]
        # Without shards to write to, pictures are only decoded, to see whether they can be.
        self._resize = job.config.resize if job.config.write == "shards" else ResizeConfig(max_pixels=2**62)
        self._shards = ShardWriter(folder, f"parts/{job.number:05d}", job.config.shard_bytes)

    def posts(self) -> Iterator[Post]:
        """The posts that stay, as they are written."""
        codes = iter(np.load(self.job.codes).tolist())
        with closing(self._shards):
            for found in self.job.taken_in():
                if found.post is None:
                    self._tell(found.id, found.where, found.problems, kept=False)
                    reason = Removal("unusable record", "; ".join(found.problems))
                    self._remove(found.id, found.where, reason, found.where)
                    continue
                self._told = list(found.problems)
                post = self._through(found.post, next(codes, CHANGED), found.where)
                self._tell(found.id, found.where, self._told, kept=post is not None)
                if post is not None:
                    self._after.add(post)
                    yield post
        if next(codes, None) is not None:
            raise self._changed()

    def _changed(self) -> UserError:
        return UserError(f"{self.job.part} changed while it was prepared: prepare it again, into another --out")

    def _through(self, post: Post, code: int, where: str) -> Post | None:
        if post.shard and self.job.config.write != "shards":
            raise UserError(f"{where}, post {post.id}: its picture lies in a shard, so prepare it with --write shards")
        if code == CHANGED:
            raise self._changed()
        post = replace(post, quality=quality_of(code))
        self._before.add(post)
        self._count_ambiguous(post)
        post, changes = repaired(post, self._words, self.job.config.repair)
        self._repairs.update(changes)
        removal = self._by_record(post, code)
        if removal is None and self.job.config.write != "records":
            post, removal = self._with_image(post, where)
        elif removal is None:
            removal = self._by_scores(post, None)
        if removal is not None:
            self._remove(post.id, post.file_path or where, removal, where)
            return None
        return post

    def _by_record(self, post: Post, code: int) -> Removal | None:
        if code == SAME_ID:
            return Removal("duplicate id", "a post with this id came before")
        if code == SAME_FILE and self.job.config.same_file == "remove":
            return Removal("duplicate file", f"a post with the same file, md5 {post.md5}, came before")
        if code == SAME_FILE:
            self._told.append(f"has the same file, md5 {post.md5}, as a post before")
        prune = self.job.config.prune
        return by_size(post.image_width, post.image_height, prune) or by_tags(post, prune)

    def _with_image(self, post: Post, where: str) -> tuple[Post, Removal | None]:
        """The post with the size of its file as written, and its place in a shard."""
        images = self.job.images
        path = images.folder / post.shard if post.shard else images.path(vars(post))
        try:
            data = read_member(images.folder, post) if post.shard else path.read_bytes()
        except (OSError, ValueError) as error:  # ValueError: no file can have such a name
            return post, Removal("missing file", f"{path} cannot be read: {getattr(error, 'strerror', None) or error}")
        try:
            removal = self._by_header(post, data, where) or self._by_scores(post, data)
            if removal is not None:
                return post, removal
            image = prepare_image(data, post.id, self._resize, self.job.config.seed)
        except BadImage as error:
            return post, Removal("unreadable", f"{path} {error}")
        self._resized += image.data is not data
        self.image_hash.update(image.data)
        post = replace(post, image_width=image.width, image_height=image.height)
        if self.job.config.write == "shards":
            post = self._shards.add(replace(post, file_ext=image.extension), image.data)
        return post, None

    def _by_header(self, post: Post, data: bytes, where: str) -> Removal | None:
        """Judged by the true size before anything is decoded."""
        size, said = image_size(data), (post.image_width, post.image_height)
        if size == said:
            return None
        detail = f"is {size[0]}x{size[1]}, its record says {said[0]}x{said[1]}"
        self._stop(post.id, where, detail)
        self._told.append(detail)
        return by_size(*size, self.job.config.prune)

    def _by_scores(self, post: Post, data: bytes | None) -> Removal | None:
        found = (by_score(rule, self._score(rule, scorer, post, data)) for rule, scorer in self._scorers)
        return next(filter(None, found), None)

    def _score(self, rule: ScoreRule, scorer: Scorer, post: Post, data: bytes | None) -> float:
        try:
            return float(scorer(post, data))
        except UserError:
            raise
        except Exception as error:  # whatever a score of the user's own may raise
            if data is not None:
                prepare_image(data, post.id, ResizeConfig(max_pixels=2**62))  # BadImage where the file is at fault
            raise UserError(f"score {rule.name!r} of post {post.id} ({post.file_path}): {error!r}") from error

    def _count_ambiguous(self, post: Post) -> None:
        tags = [tag for tag in post.tags if tag in self._words] if self._words else []
        if tags:
            unfocused, boy = is_unfocused(post, self.job.config.repair), persons(post) == "1boy"
            for tag in tags:
                self._ambiguous.setdefault(tag, Counter()).update(posts=1, unfocused=unfocused, boy=boy)

    def _remove(self, number: int, file: str, removal: Removal, where: str) -> None:
        if removal.reason in FAULTS:
            self._stop(number, where, f"{removal.reason}: {removal.detail}")
        self._reasons[removal.reason] += 1
        line = {"post": number, "file": file, "reason": removal.reason, "detail": removal.detail}
        self._removed.write(json.dumps(line, ensure_ascii=False) + "\n")

    def _tell(self, number: int, where: str, problems: Sequence[str], kept: bool) -> None:
        for problem in problems:
            line = {"post": number, "where": where, "problem": problem, "kept": kept}
            self._problems.write(json.dumps(line, ensure_ascii=False) + "\n")

    def _stop(self, number: int, where: str, problem: str) -> None:
        """End here, where the config says to; what records lack was met in the first pass."""
        if self.job.config.on_problem == "stop":
            raise UserError(f"{where}, post {number or 'without id'}: {problem}")

    def counts(self) -> dict[str, Any]:
        """What the report adds up."""
        return {
            "before": self._before.to_mapping(),
            "after": self._after.to_mapping(),
            "reasons": self._reasons,
            "repairs": self._repairs,
            "ambiguous": self._ambiguous,
            "resized": self._resized,
        }


@cache
def ambiguous_tags(out: Path) -> dict[str, str]:
    """Tag to word, of the words of two meanings that the scan found; read once a process."""
    found = json.loads((out / MEANINGS).read_text("utf-8"))
    return {tag: word for word, tags in found.items() for tag in tags}


@cache
def _scorer(rule: ScoreRule) -> Scorer:
    return load_scorer(rule)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
